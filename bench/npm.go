package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha1"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"sync"
)

const (
	npmPackages = 500
	npmVersions = 100 // of the package "many"
	abbreviated = "application/vnd.npm.install-v1+json"
)

// npm compares with Verdaccio, over the same packages.
func (b *bench) npm(us, dir string) error {
	peer, err := b.startVerdaccio(dir)
	if err != nil {
		return err
	}
	ours := us + "/npm/"
	theirs := peer + "/"
	words := strings.Fields("kubernetes cluster galaxy workflow storage genome notebook backup viewer pipeline")
	var seeds []*npmPackage
	for i := range npmPackages {
		seeds = append(seeds, newNPMPackage(fmt.Sprintf("bench-%s-%d", words[i%10], i), "1.0.0", "A "+words[i/10%10]+" form", 200))
	}
	for i := range npmVersions {
		seeds = append(seeds, newNPMPackage("many", fmt.Sprintf("1.%d.0", i), "A form", 100<<10))
	}
	for _, to := range []string{ours, theirs} {
		if err := b.seed(to, seeds); err != nil {
			return err
		}
	}
	// publish: each of a plugin, or package, of its own; durable when it is answered.
	fresh := func(to, who string) load {
		var mu sync.Mutex
		n := 0
		return func(int) (*http.Request, error) {
			mu.Lock()
			n++
			name := fmt.Sprintf("fresh-%s-%d", who, n)
			mu.Unlock()
			return newNPMPackage(name, "1.0.0", "Fresh", 1000).put(to)
		}
	}
	clients := b.clients
	for _, n := range []int{1, clients} {
		b.clients = n
		if err := b.compare(fmt.Sprintf("npm publish, %d at once", n), "Verdaccio", fresh(ours, fmt.Sprint("a", n)), fresh(theirs, fmt.Sprint("b", n))); err != nil {
			return err
		}
	}
	return joined(
		func() error {
			return b.compare("npm packument, 100 versions, abbreviated", "Verdaccio", get(ours+"many", "Accept", abbreviated), get(theirs+"many", "Accept", abbreviated))
		},
		func() error {
			return b.compare("npm tarball, 100 KiB", "Verdaccio", get(ours+"many/-/many-1.50.0.tgz"), get(theirs+"many/-/many-1.50.0.tgz"))
		},
		func() error {
			const q = "-/v1/search?text=genome&size=20"
			return b.compare("npm search, "+fmt.Sprint(npmPackages)+" packages and more", "Verdaccio", get(ours+q), get(theirs+q))
		},
	)
}

func joined(all ...func() error) error {
	for _, f := range all {
		if err := f(); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) seed(to string, all []*npmPackage) error {
	for _, p := range all {
		req, err := p.put(to)
		if err != nil {
			return err
		}
		if err := send(req.WithContext(b.ctx)); err != nil {
			return err
		}
	}
	return nil
}

// npmPackage is what npm publish sends: a package with its plugin's descriptor.
type npmPackage struct {
	name string
	body []byte
}

func newNPMPackage(name, version, description string, size int) *npmPackage {
	padding := make([]byte, size)
	random := rand.NewChaCha8([32]byte{})
	_, _ = random.Read(padding)
	var tarball bytes.Buffer
	z := gzip.NewWriter(&tarball)
	w := tar.NewWriter(z)
	manifest := map[string]any{"name": name, "version": version, "description": description, "main": "index.js", "dependencies": map[string]string{"left-pad": "^1.0.0"}}
	text, _ := json.Marshal(manifest)
	for _, f := range [][2]string{
		{"package.json", string(text)},
		{"index.js", "exports.Form = () => 1\n"},
		{"appstore-plugin.yaml", fmt.Sprintf("name: %s\nversion: %s\nsummary: %s\nfront_end: %q\nfrontend_component: Form\n", name, version, description, name)},
		{"data.bin", string(padding)},
	} {
		_ = w.WriteHeader(&tar.Header{Name: "package/" + f[0], Mode: 0o644, Size: int64(len(f[1]))})
		_, _ = w.Write([]byte(f[1]))
	}
	_, _ = w.Close(), z.Close() // to memory
	sum512, sum1 := sha512.Sum512(tarball.Bytes()), sha1.Sum(tarball.Bytes())
	manifest["dist"] = map[string]string{
		"integrity": "sha512-" + base64.StdEncoding.EncodeToString(sum512[:]), "shasum": hex.EncodeToString(sum1[:]),
		"tarball": "http://example.org/" + name + "-" + version + ".tgz",
	}
	manifest["_id"] = name + "@" + version
	body, _ := json.Marshal(map[string]any{
		"_id": name, "name": name, "description": description, "dist-tags": map[string]string{"latest": version},
		"versions": map[string]any{version: manifest},
		"_attachments": map[string]any{name + "-" + version + ".tgz": map[string]any{
			"content_type": "application/octet-stream", "data": base64.StdEncoding.EncodeToString(tarball.Bytes()), "length": tarball.Len(),
		}},
	})
	return &npmPackage{name, body}
}

func (p *npmPackage) put(to string) (*http.Request, error) {
	req, err := http.NewRequest(http.MethodPut, to+url.PathEscape(p.name), bytes.NewReader(p.body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	if strings.HasSuffix(to, "/npm/") {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	return req, nil
}
