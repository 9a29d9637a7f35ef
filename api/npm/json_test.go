package npm

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"appstore/registry"
)

// scanAll reads a whole text, and gives each scalar with the path to it.
func scanAll(text string) (values []string, err error) {
	s := newScanner(iotest.OneByteReader(strings.NewReader(text)))
	for {
		kind, err := s.next()
		if err != nil || kind == 0 {
			return values, err
		}
		var path []string
		for i := range s.depth() {
			path = append(path, s.path(i))
		}
		switch kind {
		case '"':
			v, err := s.text(1 << 20)
			if err != nil {
				return values, err
			}
			values = append(values, fmt.Sprintf("%q=%q", path, v))
		case 'v':
			values = append(values, fmt.Sprintf("%q=%s", path, s.literal))
		}
	}
}

func TestScanner(t *testing.T) {
	got, err := scanAll(` {"a":{"b":"x\"\\\/\u00e9\ud83d\ude00\n"}, "c":[1,{"d":null},"e"],"f":true} `)
	want := `["a" "b"]="x\"\\/é😀\n" ["c" ""]=1 ["c" "" "d"]=null ["c" ""]="e" ["f"]=true`
	if err != nil || strings.Join(got, " ") != want {
		t.Errorf("%v, %v\nwant %s", got, err, want)
	}
}

// What the scanner takes is JSON, and what is JSON it takes, within its limits.
func FuzzScanner(f *testing.F) {
	for _, text := range []string{`{"a":[1,2,{}],"b":"c"}`, `[`, `{"a"}`, `{,}`, `[1,]`, `"\u12"`, `"\ud800x"`, `{} {}`, `nul`, "\"\x01\"", `[[]]`, `-`, `{"a":1,}`, `[1 2]`, ``, ` `} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		_, err := scanAll(text)
		if valid := json.Valid([]byte(text)); (err == nil) != valid {
			if valid && errors.Is(err, errJSON) && (strings.Contains(err.Error(), "levels") || strings.Contains(err.Error(), "too long") || strings.Contains(err.Error(), "more than") || strings.Contains(err.Error(), "UTF-8")) {
				return
			}
			t.Errorf("%q: valid %v, but %v", text, valid, err)
		}
	})
}

// The tarball comes out of the body in any order of the keys, and in pieces of
// any size; no more than a buffer is read ahead.
func TestReceiveOrder(t *testing.T) {
	tarball := bytes.Repeat([]byte("0123456789abcdef?>~"), 20_000)
	data := strings.ReplaceAll(base64.StdEncoding.EncodeToString(tarball), "/", `\/`)
	versions := `"versions":{"1.0.0":{"name":"kube","version":"1.0.0","keywords":["a"],"dist":{"integrity":"sha1-x sha999-y","tarball":"http://example.org"}}}`
	attachments := `"_attachments":{"kube-1.0.0.tgz":{"length":` + fmt.Sprint(len(tarball)) + `,"data":"` + data + `","content_type":"application/octet-stream"}}`
	versions = strings.Replace(versions, "sha1-x ", "", 1)
	for _, body := range []string{`{"name":"kube",` + versions + `,` + attachments + `}`, `{` + attachments + `,` + versions + `,"_id":"kube"}`} {
		for name, reader := range map[string]io.Reader{"whole": strings.NewReader(body), "bytes": iotest.OneByteReader(strings.NewReader(body)), "with EOF": iotest.DataErrReader(strings.NewReader(body))} {
			u, err := Receive(reader, "kube")
			if err != nil {
				t.Fatal(err)
			}
			if u.File != "kube-1.0.0.tgz" || u.Package.Version != "1.0.0" {
				t.Errorf("%s: %s %s", name, u.File, u.Package.Version)
			}
			got, err := io.ReadAll(u)
			if err != nil || !bytes.Equal(got, tarball) {
				t.Errorf("%s: %d bytes, %v; want %d", name, len(got), err, len(tarball))
			}
		}
	}
}

// A large tarball passes through a little memory, and one that is too large is
// refused.
func TestReceiveLarge(t *testing.T) {
	const large = 48 << 20
	body := io.MultiReader(strings.NewReader(`{"versions":{"1.0.0":{}},"_attachments":{"kube-1.0.0.tgz":{"data":"`),
		io.LimitReader(letters{}, large/3*4), strings.NewReader(`"}}}`))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	u, err := Receive(body, "kube")
	if err != nil {
		t.Fatal(err)
	}
	n, err := io.Copy(io.Discard, u)
	runtime.ReadMemStats(&after)
	if err != nil || n != large {
		t.Errorf("%d bytes, %v", n, err)
	}
	if took := after.TotalAlloc - before.TotalAlloc; took > 1<<20 {
		t.Errorf("it took %d bytes of memory", took)
	}
	u.err, u.data, u.size = nil, letters{}, MaxTarball
	var e *registry.Error
	if _, err := io.Copy(io.Discard, u); !errors.As(err, &e) || e.Code != registry.TooLarge {
		t.Errorf("too large: %v", err)
	}
}

// letters is base64 without end.
type letters struct{}

func (letters) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'A'
	}
	return len(p), nil
}

// A body that ends anywhere, or in which the connection breaks, is never taken
// for a whole one.
func TestReceiveCut(t *testing.T) {
	body := `{"name":"kube","versions":{"1.0.0":{}},"_attachments":{"kube-1.0.0.tgz":{"data":"` + base64.StdEncoding.EncodeToString([]byte("content!!")) + `"}}}`
	broken := errors.New("the connection broke")
	for i := range len(body) - 1 {
		for _, end := range []error{nil, broken} {
			r := io.Reader(strings.NewReader(body[:i]))
			if end != nil {
				r = io.MultiReader(r, iotest.ErrReader(end))
			}
			u, err := Receive(r, "kube")
			if err == nil {
				_, err = io.ReadAll(u)
			}
			var e *registry.Error
			if err == nil || end != nil && !errors.Is(err, broken) || end == nil && !errors.As(err, &e) && i > 0 {
				t.Fatalf("cut at %d of %q: %v", i, body[:i], err)
			}
		}
	}
}

func TestNames(t *testing.T) {
	for path, want := range map[string]string{
		"/kube": "kube", "/@s%2Fkube/1.0.0": "@s/kube 1.0.0", "/@s/kube/1.0.0": "@s/kube 1.0.0", "/%40s%2fkube": "@s/kube", "/%40s/kube/-/kube-1.0.0.tgz": "@s/kube - kube-1.0.0.tgz",
		"/-/package/@s%2fkube/dist-tags": "- package @s/kube dist-tags", "/": "", "/@s": "@s", "/@s/": "@s",
	} {
		got, err := SplitPath(path)
		if err != nil || strings.Join(got, " ") != want {
			t.Errorf("%s: %q, %v; want %q", path, got, err, want)
		}
	}
	if _, err := SplitPath("/%zz"); err == nil {
		t.Error("%zz is no percent-encoding")
	}
	if got := TarballName("@s/kube", "1.0.0") + " " + packedName("@s/kube", "1.0.0"); got != "kube-1.0.0.tgz s-kube-1.0.0.tgz" {
		t.Error(got)
	}
}

func TestWantsAbbreviated(t *testing.T) {
	for accept, want := range map[string]bool{
		"": false, "*/*": false, "application/json": false, Abbreviated: true,
		Abbreviated + "; q=1.0, application/json; q=0.8, */*": true,
		"application/json; q=1.0, " + Abbreviated + "; q=0.5": false,
		Abbreviated + ";q=0": false, ";;, " + Abbreviated: true,
	} {
		if got := WantsAbbreviated(accept); got != want {
			t.Errorf("%q: %v", accept, got)
		}
	}
}
