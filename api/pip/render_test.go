package pip

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write the golden files anew")

// The pages of every kind of file and project, as they go out.
func TestRender(t *testing.T) {
	sum := func(c string) string { return strings.Repeat(c, 64) }
	mixed := &project{
		name: "kube-back", status: active, versions: []string{"2.0.0", "1.0.0+local.1"},
		files: []file{
			{
				name: "kube_back-2.0.0-py3-none-any.whl", url: "https://example.org/f/kube_back-2.0.0-py3-none-any.whl", sha256: sum("a"),
				requiresPython: ">=3.9,<4", metadata: sum("b"), size: 1234, uploaded: time.Date(2026, 1, 2, 3, 4, 5, 678901234, time.UTC),
			},
			{name: "kube_back-1.0.0+local.1.tar.gz", url: "/f/kube_back-1.0.0+local.1.tar.gz", sha256: sum("c"), yanked: true, reason: `breaks <b>"x"</b> & 'y'`},
			{name: "kube_back-1.0.0.tar.gz", url: "/f/kube_back-1.0.0.tar.gz", sha256: sum("d"), yanked: true},
		},
	}
	for name, page := range map[string]func(Form) ([]byte, error){
		"project":     mixed.render,
		"empty":       (&project{name: "gone", status: quarantined, reason: "under review"}).render,
		"root":        func(f Form) ([]byte, error) { return renderRoot([]string{"a", "kube-back"}, f) },
		"root-nobody": func(f Form) ([]byte, error) { return renderRoot(nil, f) },
	} {
		for ending, form := range map[string]Form{".json": JSON, ".html": HTML} {
			got, err := page(form)
			if err != nil {
				t.Fatal(err)
			}
			golden := filepath.Join("testdata", name+ending)
			if *update {
				if err := os.WriteFile(golden, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != string(want) {
				t.Errorf("%s is\n%s\nwant\n%s", golden, got, want)
			}
		}
	}
}
