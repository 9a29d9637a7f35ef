package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"appstore/api"
	"appstore/api/npm"
	"appstore/storage"
)

// The clients, as they are installed once for all tests.
const (
	npmVersion   = "11.6.2"
	pnpmVersion  = "10.34.9"
	yarnVersion  = "1.22.22"
	berryVersion = "4.18.1"
)

// npmClients is a machine of somebody who uses npm, pnpm and yarn: a home of
// its own, with the registry configured as docs/clients-npm.md says.
type npmClients struct {
	t       *testing.T
	modules string // where the clients are
	home    string
	token   string // APPSTORE_TOKEN, if set
}

// skipClients skips a test that can't be made here, and says what is not
// checked; it fails if all must be checked.
func skipClients(t *testing.T, why any) {
	t.Helper()
	message := fmt.Sprintf("%v: npm, pnpm and yarn are NOT checked", why)
	if os.Getenv("APPSTORE_TEST_REQUIRE") == "1" {
		t.Fatal(message)
	}
	t.Skip(message)
}

// installNPMClients installs the clients into the cache of the user, unless
// they are there.
func installNPMClients(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("-short: npm, pnpm and yarn are NOT checked")
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		skipClients(t, err)
	}
	folder := filepath.Join(cache, "appstore", "clients")
	place := filepath.Join(folder, fmt.Sprintf("npm-%s+pnpm-%s+yarn-%s+yarn-%s", npmVersion, pnpmVersion, yarnVersion, berryVersion))
	modules := filepath.Join(place, "node_modules")
	if _, err := os.Stat(modules); err == nil {
		return modules
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		skipClients(t, err)
	}
	beside, err := os.MkdirTemp(folder, "installing-*")
	if err != nil {
		skipClients(t, err)
	}
	defer os.RemoveAll(beside)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, "npm", "install", "--prefix", beside, "--ignore-scripts", "--no-audit", "--no-fund",
		"npm@"+npmVersion, "pnpm@"+pnpmVersion, "yarn@"+yarnVersion, "@yarnpkg/cli-dist@"+berryVersion).CombinedOutput()
	if err != nil {
		skipClients(t, fmt.Errorf("%w: %s", err, out))
	}
	if err := os.Rename(beside, place); err != nil {
		if _, there := os.Stat(modules); there != nil { // another test was not faster
			t.Fatal(err)
		}
	}
	return modules
}

// newNPMClients makes a fresh home for the clients of a registry.
func newNPMClients(t *testing.T, registry string) *npmClients {
	t.Helper()
	c := &npmClients{t: t, modules: installNPMClients(t), home: t.TempDir()}
	_, host, _ := strings.Cut(registry, ":")
	c.write(c.home, ".npmrc", "registry="+registry+"\n"+host+":_authToken="+testToken+"\n")
	c.write(c.home, ".yarnrc.yml", fmt.Sprintf("npmRegistryServer: %q\nunsafeHttpWhitelist: [\"127.0.0.1\"]\nnodeLinker: node-modules\nenableTelemetry: false\nenableGlobalCache: false\nnpmMinimalAgeGate: 0\nnpmAuthToken: %q\n", registry, testToken))
	return c
}

func (c *npmClients) write(folder, name, text string) {
	c.t.Helper()
	path := filepath.Join(folder, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		c.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		c.t.Fatal(err)
	}
}

// project is a fresh folder with a package.json.
func (c *npmClients) project() string {
	folder, err := os.MkdirTemp(c.home, "project-*")
	if err != nil {
		c.t.Fatal(err)
	}
	c.write(folder, "package.json", `{"name": "project", "version": "1.0.0", "private": true}`)
	return folder
}

// try runs one of the clients, node, or with exec a program of the folder in it.
func (c *npmClients) try(folder, client string, args ...string) (string, error) {
	c.t.Helper()
	script := map[string]string{
		"npm": "npm/bin/npm-cli.js", "pnpm": "pnpm/bin/pnpm.cjs", "yarn": "yarn/bin/yarn.js", "berry": "@yarnpkg/cli-dist/bin/yarn.js",
	}[client]
	if script != "" {
		args = append([]string{filepath.Join(c.modules, script)}, args...)
	}
	ctx, cancel := context.WithTimeout(c.t.Context(), 2*time.Minute)
	defer cancel()
	program := "node"
	if client == "exec" {
		program, args = filepath.Join(folder, args[0]), args[1:]
	}
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = folder
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + c.home, "XDG_CACHE_HOME=" + c.home + "/.cache", "XDG_DATA_HOME=" + c.home + "/.local",
		"npm_config_cache=" + c.home + "/.npm", "npm_config_update_notifier=false", "npm_config_fetch_retries=0", "CI=1", "NO_COLOR=1",
	}
	if c.token != "" {
		cmd.Env = append(cmd.Env, "APPSTORE_TOKEN="+c.token)
	}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (c *npmClients) run(folder, client string, args ...string) string {
	c.t.Helper()
	out, err := c.try(folder, client, args...)
	if err != nil {
		c.t.Fatalf("%s %s: %v\n%s", client, strings.Join(args, " "), err, out)
	}
	return out
}

// refused runs a client that must fail and say why.
func (c *npmClients) refused(why, folder, client string, args ...string) {
	c.t.Helper()
	out, err := c.try(folder, client, args...)
	if err == nil || !strings.Contains(out, why) {
		c.t.Errorf("%s %s: %v, want it to say %q\n%s", client, strings.Join(args, " "), err, why, out)
	}
}

// says runs a client whose output must have all of these.
func (c *npmClients) says(want []string, folder, client string, args ...string) {
	c.t.Helper()
	out := c.run(folder, client, args...)
	for _, one := range want {
		if !strings.Contains(out, one) {
			c.t.Errorf("%s %s does not say %q:\n%s", client, strings.Join(args, " "), one, out)
		}
	}
}

// forget removes what the clients have cached, and what is installed.
func (c *npmClients) forget(project string) {
	c.t.Helper()
	for _, path := range []string{c.home + "/.npm", c.home + "/.cache", c.home + "/.local", project + "/node_modules", project + "/.yarn"} {
		if err := os.RemoveAll(path); err != nil {
			c.t.Fatal(err)
		}
	}
}

// module is a package that its author publishes with npm: a form and the
// units it needs, which are a plugin of their own.
func (c *npmClients) module(name, version, code, dependency string) string {
	folder := c.project()
	file := map[string]any{"name": name, "version": version, "main": "index.js", "bin": "cli.js", "license": "MIT"}
	if dependency != "" {
		file["dependencies"] = map[string]string{dependency: "^1.0.0"}
	}
	text, err := json.Marshal(file)
	if err != nil {
		c.t.Fatal(err)
	}
	plugin := strings.ReplaceAll(strings.TrimPrefix(name, "@"), "/", "-")
	c.write(folder, "package.json", string(text))
	c.write(folder, "index.js", code)
	c.write(folder, "cli.js", "#!/usr/bin/env node\nconsole.log('cli of "+name+"')\n")
	c.write(folder, "appstore-plugin.yaml", fmt.Sprintf("name: %s\nversion: %s\nsummary: The %s of a kubernetes cluster\nmaintainer: Jane Roe <jane@example.org>\ntags: [kubernetes]\nlicense: MIT\nfront_end: %q\nfrontend_component: Form\n", plugin, version, plugin, name))
	return folder
}

const (
	unitsCode = "exports.Form = (n) => n + ' nodes'\n"
	kubeCode  = "const units = require('units')\nexports.Form = () => 'a cluster of ' + units.Form(3)\n"
	useKube   = "console.log(require('@example/kube').Form())"
	kubeSays  = "a cluster of 3 nodes\n"
)

// npmPairs runs a test over both pairs of engines; the embedded one has a path
// prefix.
func npmPairs(t *testing.T, f func(t *testing.T, p *place, registry string)) {
	t.Run("files+bleve", func(t *testing.T) {
		p := serve(t, openFiles(t), openBleve(t), "SELF"+testPrefix+"/")
		f(t, p, p.url+testPrefix+"/npm/")
	})
	t.Run("s3+elastic", func(t *testing.T) {
		store, index := real(t)
		p := serve(t, store, index, "")
		f(t, p, p.url+"/npm/")
	})
}

// Each client publishes; what it has sent is installed and run.
func TestNPMClientsPublish(t *testing.T) {
	npmPairs(t, func(t *testing.T, p *place, registry string) {
		c := newNPMClients(t, registry)
		for client, args := range map[string]string{
			"npm": "publish", "pnpm": "publish --no-git-checks", "yarn": "publish --non-interactive", "berry": "npm publish",
		} {
			name := "@by/" + client
			folder := c.module(name, "1.0.0", "exports.Form = () => 'by "+client+"'\n", "")
			if client == "berry" {
				c.write(folder, "yarn.lock", "")
				c.run(folder, client, "install", "--no-immutable")
			}
			c.run(folder, client, strings.Fields(args)...)
			project := c.project()
			c.run(project, "npm", "install", name)
			if got := c.run(project, "node", "-e", "console.log(require('"+name+"').Form())"); got != "by "+client+"\n" {
				t.Errorf("%s: it says %q", client, got)
			}
		}
	})
}

// What npm needs of other registries comes through this one: here from another
// AppStore.
func TestNPMClientsUpstream(t *testing.T) {
	everyPair(t, func(t *testing.T, p *place) {
		other := embedded(t)
		author := newNPMClients(t, other.url+"/npm/")
		author.run(author.module("units", "1.0.0", unitsCode, ""), "npm", "publish")

		upstream, err := npm.NewUpstream(npm.Options{Upstream: other.url + "/npm/", Dir: t.TempDir()}, p.reg)
		if err != nil {
			t.Fatal(err)
		}
		h, err := api.New(api.Options{Registry: p.reg, Index: p.index, NPMUpstream: upstream, Token: func() (string, error) { return testToken, nil }})
		if err != nil {
			t.Fatal(err)
		}
		srv := httptest.NewServer(h)
		t.Cleanup(srv.Close)
		c := newNPMClients(t, srv.URL+"/npm/")
		c.run(c.module("@example/kube", "1.0.0", kubeCode, "units"), "npm", "publish")
		for client, commands := range map[string][2]string{
			"npm": {"install @example/kube", "ci"}, "pnpm": {"add @example/kube", "install --frozen-lockfile"},
			"yarn": {"add @example/kube", "install --frozen-lockfile"}, "berry": {"add @example/kube", "install --immutable"},
		} {
			project := c.project()
			c.run(project, client, strings.Fields(commands[0])...)
			c.forget(project)
			c.run(project, client, strings.Fields(commands[1])...)
			if got := c.run(project, "node", "-e", useKube); got != kubeSays {
				t.Errorf("%s: it says %q", client, got)
			}
		}
	})
}

// What is published with npm is found, installed, locked and run with every
// client, and refused by every one once a byte of it is another.
func TestNPMClients(t *testing.T) {
	npmPairs(t, func(t *testing.T, p *place, registry string) {
		c := newNPMClients(t, registry)
		c.says([]string{"PONG"}, c.home, "npm", "ping")
		c.says([]string{"operator"}, c.home, "npm", "whoami")
		c.refused("has no accounts to log in to", c.home, "npm", "login")

		c.says([]string{"+ units@1.0.0"}, c.module("units", "1.0.0", unitsCode, ""), "npm", "publish")
		kube := c.module("@example/kube", "1.0.0", kubeCode, "units")
		c.says([]string{"+ @example/kube@1.0.0"}, kube, "npm", "publish")
		c.refused("previously published", kube, "npm", "publish")
		next := c.module("@example/kube", "1.1.0-rc.1", kubeCode, "units")
		c.says([]string{"+ @example/kube@1.1.0-rc.1", "the tag \"beta\" was not set"}, next, "npm", "publish", "--tag", "beta")
		c.refused("stays as it is", c.home, "npm", "deprecate", "@example/kube@1.0.0", "old")
		c.refused("stays as it is", c.home, "npm", "unpublish", "@example/kube@1.0.0", "--force")
		c.refused("dist-tags are the channels", c.home, "npm", "dist-tag", "add", "@example/kube@1.0.0", "good")

		if _, err := p.reg.SetChannel(t.Context(), "example-kube", "beta", "1.1.0-rc.1", "tester"); err != nil {
			t.Fatal(err)
		}
		c.says([]string{"latest: 1.0.0", "beta: 1.1.0-rc.1"}, c.home, "npm", "dist-tag", "ls", "@example/kube")
		c.says([]string{"@example/kube@1.0.0", "The example-kube of a kubernetes cluster", "Jane Roe", "MIT", "sha512-"}, c.home, "npm", "view", "@example/kube")
		c.says([]string{"1.1.0-rc.1"}, c.home, "npm", "view", "@example/kube@beta", "version")
		c.refused("E404", c.home, "npm", "view", "@example/kub")
		eventually(t, "npm search finds it", func() bool {
			out, err := c.try(c.home, "npm", "search", "kubernetes")
			return err == nil && strings.Contains(out, "@example/kube") && strings.Contains(out, "units")
		})
		c.says([]string{"example-kube-1.0.0.tgz"}, c.project(), "npm", "pack", "@example/kube")

		projects := map[string]string{}
		for _, client := range []struct{ name, add, again string }{
			{"npm", "install @example/kube", "ci"},
			{"pnpm", "add @example/kube", "install --frozen-lockfile"},
			{"yarn", "add @example/kube", "install --frozen-lockfile"},
			{"berry", "add @example/kube", "install --immutable"},
		} {
			t.Run(client.name, func(t *testing.T) {
				c := *c
				c.t = t
				project := c.project()
				projects[client.name] = project
				c.run(project, client.name, strings.Fields(client.add)...)
				if got := c.run(project, "node", "-e", useKube); got != kubeSays {
					t.Errorf("it says %q", got)
				}
				if got := c.run(project, "exec", "node_modules/.bin/kube"); !strings.Contains(got, "cli of") {
					t.Errorf("its command says %q", got)
				}
				c.forget(project)
				c.run(project, client.name, strings.Fields(client.again)...)
				if got := c.run(project, "node", "-e", useKube); got != kubeSays {
					t.Errorf("from the lock file it says %q", got)
				}
			})
		}

		// The operating system in gzip's header, so that what is unpacked stays
		// the same; berry, which locks what is unpacked, needs another byte.
		tamperTarball(t, p, "units", 9)
		for _, client := range []struct{ name, again, add, why string }{
			{"npm", "ci", "install @example/kube", "EINTEGRITY"},
			{"pnpm", "install --frozen-lockfile", "add @example/kube", "ERR_PNPM_TARBALL_INTEGRITY"},
			{"yarn", "install --frozen-lockfile", "add @example/kube", "Integrity check failed"},
			{"berry", "install --immutable", "add @example/kube", "ZlibError"},
		} {
			t.Run(client.name+"-tampered", func(t *testing.T) {
				c := *c
				c.t = t
				if client.name == "berry" {
					tamperTarball(t, p, "units", 40)
				}
				c.forget(projects[client.name])
				c.refused(client.why, projects[client.name], client.name, strings.Fields(client.again)...)
				c.forget(projects[client.name])
				c.refused(client.why, c.project(), client.name, strings.Fields(client.add)...)
			})
		}
	})
}

// tamperTarball changes one byte of the stored tarball of a plugin's release 1.0.0.
func tamperTarball(t *testing.T, p *place, plugin string, at int) {
	t.Helper()
	release, err := p.reg.Resolve(t.Context(), plugin, "1.0.0")
	if err != nil {
		t.Fatal(err)
	}
	f := release.Files[0]
	r, _, err := p.store.Get(t.Context(), f.Key, storage.Read{})
	if err != nil {
		t.Fatal(err)
	}
	content, err := io.ReadAll(r)
	r.Close()
	if err != nil {
		t.Fatal(err)
	}
	content[at] ^= 1
	if err := p.store.Put(t.Context(), f.Key, bytes.NewReader(content), f.Size); err != nil {
		t.Fatal(err)
	}
}
