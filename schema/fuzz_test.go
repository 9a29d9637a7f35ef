package schema

import (
	"bytes"
	"os"
	"testing"
	"time"
)

func seeds(f *testing.F) {
	for _, pattern := range []string{"testdata/rules/*/*.yaml", "testdata/good/*.yaml"} {
		for _, name := range files(f, pattern) {
			data, err := os.ReadFile(name)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(data)
		}
	}
}

// Parse ends soon, gives a descriptor or problems and never both, orders the
// problems, places them inside of the text, and what it accepts survives being
// written as YAML and read again.
func FuzzParse(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		start := time.Now()
		d, problems := Parse(data)
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("took %v", took)
		}
		if (d == nil) != (len(problems) > 0) {
			t.Fatalf("descriptor %v with %d problems", d, len(problems))
		}
		checkProblems(t, data, problems)
		if d == nil {
			return
		}
		sameAgain(t, d)
		if _, err := ParseVersion(d.Version); err != nil {
			t.Error(err)
		}
		if err := CheckName(d.Name); err != nil {
			t.Error(err)
		}
	})
}

// EncodeYAML gives back every value that a document can have.
func FuzzEncodeYAML(f *testing.F) {
	seeds(f)
	f.Add([]byte(`{"": " a\n\n", "b": ["\r\n", "- x", "a: b", "#", "!!str", "0o7", "1_000", "=", "<<", "\u2028", "\ufeff", "yes", "012", "1:20", ".5", "~"]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		start := time.Now()
		defer func() {
			if took := time.Since(start); took > 5*time.Second {
				t.Errorf("took %v", took)
			}
		}()
		for _, r := range []Reading{{}, {YAML11: true}} {
			doc, problems := r.Read(data)
			if doc == nil || len(problems) > 0 {
				continue
			}
			text, err := EncodeYAML(doc.Value)
			if err != nil {
				t.Fatal(err)
			}
			if doc.Value == nil {
				continue // a null is no document
			}
			again, problems := r.Read(text)
			if again == nil || len(problems) > 0 {
				if len(problems) > 0 && (problems[0].Code == "too-large" || problems[0].Code == "too-deep") {
					continue // aliases were written out
				}
				t.Fatalf("%v in\n%s", problems, text)
			}
			if !bytes.Equal(encode(doc.Value), encode(again.Value)) {
				t.Errorf("%s\nbecame\n%s\nby\n%s", encode(doc.Value), encode(again.Value), text)
			}
		}
	})
}

// Keys order as versions do; a ref is read as one thing, and written as it was.
func FuzzVersions(f *testing.F) {
	for i, a := range ordered {
		f.Add(a, ordered[(i+1)%len(ordered)])
	}
	f.Add("^1.2", ">=1 <2 || 1.x")
	f.Fuzz(func(t *testing.T, a, b string) {
		if r, err := ParseRef(a); err == nil && r.String() != a {
			t.Errorf("the ref %q is written %q", a, r)
		}
		if CheckChannel(a) == nil {
			if _, err := ParseRange(a); err == nil {
				t.Errorf("%q is a channel and a range", a)
			}
		}
		v, err := ParseVersion(a)
		if err != nil {
			return
		}
		if v.String() != a {
			t.Errorf("%q is written %q", a, v)
		}
		if r, err := ParseRange(a); err != nil || !r.Contains(v) {
			t.Errorf("as a range %q does not contain itself (%v)", a, err)
		}
		if r, err := ParseRange(b); err == nil {
			r.Contains(v)
		}
		w, err := ParseVersion(b)
		if err != nil {
			return
		}
		if k, c := bytes.Compare(v.Key(), w.Key()), v.Compare(w); k != c {
			t.Errorf("%s and %s compare as %d, their keys as %d", v, w, c, k)
		}
	})
}

func BenchmarkParse(b *testing.B) {
	for _, name := range []string{"simple", "everything"} {
		data, err := os.ReadFile("testdata/good/" + name + ".yaml")
		if err != nil {
			b.Fatal(err)
		}
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				if d, _ := Parse(data); d == nil {
					b.Fatal("refused")
				}
			}
		})
	}
	b.Run("problems", func(b *testing.B) {
		data, err := os.ReadFile("testdata/rules/missing-colon/seed-second-example.yaml")
		if err != nil {
			b.Fatal(err)
		}
		for b.Loop() {
			if d, _ := Parse(data); d != nil {
				b.Fatal("accepted")
			}
		}
	})
}

func BenchmarkVersionKey(b *testing.B) {
	v := version(b, "1.22.333-beta.4")
	b.ReportAllocs()
	for b.Loop() {
		v.Key()
	}
}
