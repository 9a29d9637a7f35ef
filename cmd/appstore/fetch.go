package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"appstore/api/client"
)

func (a *app) fetchCommand() *cobra.Command {
	var out string
	c := &cobra.Command{
		Use:   "fetch NAME[@REF]",
		Short: "Get a release: its descriptor and its files, verified",
		Long: `Gets a release's descriptor (as plugin.yaml) and its files into a folder. Sizes and
digests are verified before anything appears there; when one is wrong, nothing does.
REF is a version, a channel or a range; without one it is the channel stable if it
is set, else the latest release.`,
		Example: `  appstore fetch KubeCluster
  appstore fetch KubeCluster@1.2.0 -o kube
  appstore fetch 'KubeCluster@^1.1' --json`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.fetch(cmd.Context(), args[0], out)
		},
	}
	c.Flags().StringVarP(&out, "output", "o", "", "`folder` to put the files into (default NAME-VERSION)")
	return a.connects(a.answersJSON(c))
}

// fetched is what --json tells.
type fetched struct {
	Name    string   `json:"name"`
	Version string   `json:"version"`
	Digest  string   `json:"digest"`
	Yanked  bool     `json:"yanked"`
	Folder  string   `json:"folder"`
	Files   []string `json:"files"`
}

func (a *app) fetch(ctx context.Context, arg, out string) error {
	name, ref, err := a.splitRef(arg)
	if err != nil {
		return err
	}
	c, err := a.client()
	if err != nil {
		return err
	}
	r, err := c.Release(ctx, name, ref)
	if err != nil {
		return err
	}
	files, err := filesOf(r)
	if err != nil {
		return err
	}
	if out == "" {
		if out = r.Name + "-" + r.Version; !plainName(out) {
			return fmt.Errorf("the server calls the release %q, which can't be the name of a folder: choose one with -o", out)
		}
	}
	p := a.progress()
	err = getFiles(ctx, c, r, files, out, p)
	p.done()
	if err != nil {
		return err
	}
	answer := fetched{Name: r.Name, Version: r.Version, Digest: r.Digest, Yanked: r.Yanked(), Folder: out}
	total := int64(0)
	for _, f := range files {
		answer.Files = append(answer.Files, filepath.Join(out, f.Name))
		total += f.Size
	}
	if r.Yanked() {
		a.note("appstore: %s@%s was yanked: %s", plain(r.Name), plain(r.Version), plain(r.Reason))
	}
	if a.server.json {
		return a.printJSON(answer)
	}
	a.say("Fetched %s@%s into %s (%s, %s, digests verified)", plain(r.Name), plain(r.Version), out, count(len(files), "file", "files"), size(total))
	return nil
}

// filesOf lists what to get, the descriptor last. It does not trust the
// server's names: they become names of files here.
func filesOf(r *client.Release) ([]client.File, error) {
	source := r.Source
	source.Name = descriptorName
	files := slices.Concat(r.Files, r.Uses, []client.File{source})
	seen := map[string]bool{}
	for _, f := range files {
		if !plainName(f.Name) || seen[strings.ToLower(f.Name)] {
			return nil, fmt.Errorf("the release has a file named %q, which is not safe to write: nothing was fetched", f.Name)
		}
		if f.Size < 0 || len(f.SHA256) != 2*sha256.Size {
			return nil, fmt.Errorf("the server does not say the size and the sha256 of %s: nothing was fetched", f.Name)
		}
		seen[strings.ToLower(f.Name)] = true
	}
	// That these are the files of the release that the digest names, too.
	// Those of packages that it uses were published with another release, whose
	// digest names them.
	var digests []string
	for _, f := range append(slices.Clone(r.Files), source) {
		digests = append(digests, f.SHA256)
	}
	if releaseDigest(digests) != r.Digest {
		return nil, fmt.Errorf("the files of %s@%s are not those of its digest %s: nothing was fetched", r.Name, r.Version, r.Digest)
	}
	return files, nil
}

// plainName tells whether name is that of a visible file in the same folder,
// on every system.
func plainName(name string) bool {
	return name != "" && len(name) <= 255 && name[0] != '.' && !strings.ContainsAny(name, "/\\:\x00") &&
		filepath.IsLocal(name) && plain(name) == name
}

// getFiles puts the files of a release into folder, all or none. They come into
// a hidden folder in it first, and take their places when all are verified. An
// os.Root sees to it that nothing is written outside.
func getFiles(ctx context.Context, c *client.Client, r *client.Release, files []client.File, folder string, p *progress) (err error) {
	made, err := makeFolders(folder)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			for _, dir := range made { // only if nothing is in it
				os.Remove(dir)
			}
		}
	}()
	root, err := os.OpenRoot(folder)
	if err != nil {
		return err
	}
	defer root.Close()
	temp := ".appstore-fetch-" + strings.ToLower(rand.Text())
	if err := root.Mkdir(temp, 0o700); err != nil {
		return err
	}
	defer func() {
		if err2 := root.RemoveAll(temp); err == nil {
			err = err2
		}
	}()
	for _, f := range files {
		if err := getFile(ctx, c, r, f, root, temp, p); err != nil {
			return err
		}
	}
	var fresh []string
	for _, f := range files {
		there, err := sameFile(root, f)
		if err != nil {
			return err
		}
		if !there {
			fresh = append(fresh, f.Name)
		}
	}
	for i, name := range fresh {
		if err := root.Rename(temp+"/"+name, name); err != nil {
			for _, placed := range fresh[:i] {
				root.Remove(placed)
			}
			return err
		}
	}
	return nil
}

// makeFolders makes folder and what leads to it; made has the new ones, the
// innermost first.
func makeFolders(folder string) (made []string, err error) {
	for dir := filepath.Clean(folder); ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
			break
		}
		made = append(made, dir)
	}
	return made, os.MkdirAll(folder, 0o777)
}

func getFile(ctx context.Context, c *client.Client, r *client.Release, f client.File, root *os.Root, temp string, p *progress) error {
	w, err := root.OpenFile(temp+"/"+f.Name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return err
	}
	defer w.Close()
	if err := c.Download(ctx, r, f, w, p.bytes("Fetching "+f.Name)); err != nil {
		return err
	}
	if err := w.Sync(); err != nil {
		return err
	}
	return w.Close()
}

// sameFile tells whether f is in the folder already. Another one of its name is
// an error: it is not ours to replace.
func sameFile(root *os.Root, f client.File) (bool, error) {
	info, err := root.Lstat(f.Name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	differs := fmt.Errorf("%s is there already, with other content: remove it, or choose another folder with -o", filepath.Join(root.Name(), f.Name))
	if !info.Mode().IsRegular() || info.Size() != f.Size {
		return false, differs
	}
	r, err := root.Open(f.Name)
	if err != nil {
		return false, err
	}
	defer r.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, r); err != nil {
		return false, err
	}
	if hex.EncodeToString(sum.Sum(nil)) != f.SHA256 {
		return false, differs
	}
	return true, nil
}
