package api_test

import (
	"os"
	"strings"
	"testing"
)

// npmDocs is the page whose blocks are tried.
const npmDocs = "../docs/clients-npm.md"

// Every block of the page for users of npm, pnpm and yarn works as it stands,
// but for the server's address. A block is a file, or commands for one client.
func TestNPMDocs(t *testing.T) {
	page, err := os.ReadFile(npmDocs)
	if err != nil {
		t.Fatal(err)
	}
	p := embedded(t)
	c := newNPMClients(t, p.url+"/npm/")
	if err := os.Remove(c.home + "/.npmrc"); err != nil {
		t.Fatal(err)
	}
	c.token = testToken
	text := strings.NewReplacer("https://appstore.example.org", p.url, "//appstore.example.org", strings.TrimPrefix(p.url, "http:")).Replace(string(page))
	type block struct{ name, body string }
	var install, publish []block
	for i, part := range strings.Split(text, "```") {
		if i%2 == 0 {
			continue
		}
		head, body, _ := strings.Cut(part, "\n")
		_, name, _ := strings.Cut(head, " ")
		b := block{name, body}
		if len(publish) > 0 || name == "package.json" {
			publish = append(publish, b)
		} else {
			install = append(install, b)
		}
	}
	folder := c.project() // of the package
	try := func(b block) {
		switch b.name {
		case ".npmrc":
			c.write(c.home, b.name, b.body)
		case ".yarnrc.yml":
			c.write(c.home, b.name, b.body+"unsafeHttpWhitelist: [\"127.0.0.1\"]\nenableGlobalCache: false\nnodeLinker: node-modules\n")
		case "package.json", "appstore-plugin.yaml", "index.js":
			c.write(folder, b.name, b.body)
		case "npm", "pnpm", "yarn", "berry", "publish":
			project := folder
			if b.name != "publish" {
				project = c.project()
			}
			for line := range strings.Lines(b.body) {
				words := strings.Fields(line)
				client := words[0]
				if b.name == "berry" {
					client = "berry"
				}
				c.run(project, client, words[1:]...)
			}
			if b.name != "publish" {
				if got := c.run(project, "node", "-e", "console.log(require('@cloudlaunch/kube').KubeForm())"); got != "a form\n" {
					t.Errorf("%s: it says %q", b.name, got)
				}
			}
		default:
			t.Errorf("the page has a block %q that nobody tries", b.name)
		}
	}
	// First there must be something to install.
	for _, b := range append(publish, install...) {
		try(b)
	}
	if len(publish) != 5 || len(install) != 6 {
		t.Errorf("the page has %d and %d blocks", len(install), len(publish))
	}
}
