package cloudlaunch

import (
	"os"
	"testing"

	"appstore/schema"
)

// What Read accepts, Write gives back; and each app either converts to descriptors
// that Parse accepts, or has a problem.
func FuzzRead(f *testing.F) {
	for _, name := range []string{"testdata/registry.yaml", "testdata/bad.yaml"} {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte("apps: [{slug: a, name: A, status: LIVE, display_order: 1, versions: [{version: '1', default_launch_config: {a: 1e5}}]}]"))
	f.Fuzz(func(t *testing.T, data []byte) {
		apps, problems := Read(data)
		for _, p := range problems {
			if schema.Codes[p.Code] == "" || p.Line < 1 || p.Column < 1 || p.Message == "" {
				t.Errorf("%+v", p)
			}
		}
		text, err := Write(apps)
		if err != nil {
			t.Fatal(err)
		}
		if len(text) > MaxSize {
			return // aliases were written out
		}
		same(t, "written and read", read(t, text), apps)
		for _, app := range apps {
			converted, problems := app.Descriptors()
			if len(problems) == 0 && len(converted) != len(app.Versions) {
				t.Errorf("%d of %d versions converted, without a problem", len(converted), len(app.Versions))
			}
		}
	})
}
