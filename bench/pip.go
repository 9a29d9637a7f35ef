package main

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"appstore/api/client"
)

const pipFiles = 1000 // of one package

// pip compares with pypiserver, over the same wheels.
func (b *bench) pip(us, dir string) error {
	packages := filepath.Join(dir, "packages")
	if err := os.Mkdir(packages, 0o755); err != nil {
		return err
	}
	c := client.New(us, token)
	const perRelease = 100
	for version := range pipFiles / perRelease {
		var files []client.FileSource
		for i := range perRelease {
			name, content := wheel(fmt.Sprintf("1.%d.0", version), i)
			if err := os.WriteFile(filepath.Join(packages, name), content, 0o644); err != nil {
				return err
			}
			files = append(files, client.FileSource{Name: name, Size: int64(len(content)), Open: func() (io.ReadCloser, error) {
				return io.NopCloser(bytes.NewReader(content)), nil
			}})
		}
		descriptor := fmt.Sprintf("name: BenchPlugin\nversion: 1.%d.0\nbackend: bench-back\nbackend_component: bench_back.Plugin\n", version)
		if _, err := c.Publish(b.ctx, "BenchPlugin", []byte(descriptor), files, nil); err != nil {
			return err
		}
	}
	peer, err := b.startPypiserver(dir, packages)
	if err != nil {
		return err
	}
	ours, theirs := us+"/simple/bench-back/", peer+"/simple/bench-back/"
	file, _ := wheel("1.5.0", 50)
	return joined(
		func() error {
			return b.compare(fmt.Sprintf("pip page of %d files, HTML", pipFiles), "pypiserver", get(ours, "Accept", "text/html"), get(theirs, "Accept", "text/html"))
		},
		func() error {
			return b.compare("pip wheel, 1 KB", "pypiserver", get(us+"/api/v1/plugins/benchplugin/releases/1.5.0/files/"+file), get(peer+"/packages/"+file))
		},
	)
}

// wheel is a small one; its build tag tells it from the others of its version.
func wheel(version string, build int) (name string, content []byte) {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	info := "bench_back-" + version + ".dist-info/"
	record := ""
	add := func(path, text string) {
		w, _ := z.Create(path) // to memory
		_, _ = io.WriteString(w, text)
		sum := sha256.Sum256([]byte(text))
		record += fmt.Sprintf("%s,sha256=%s,%d\n", path, base64.RawURLEncoding.EncodeToString(sum[:]), len(text))
	}
	add("bench_back.py", fmt.Sprintf("class Plugin:\n    build = %d\n", build))
	add(info+"METADATA", "Metadata-Version: 2.1\nName: bench-back\nVersion: "+version+"\nRequires-Python: >=3.8\n\n")
	add(info+"WHEEL", fmt.Sprintf("Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\nBuild: %d\n", build))
	add(info+"RECORD", record+info+"RECORD,,\n")
	_ = z.Close()
	return fmt.Sprintf("bench_back-%s-%d-py3-none-any.whl", version, build), b.Bytes()
}
