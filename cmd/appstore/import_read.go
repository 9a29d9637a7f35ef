package main

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"appstore/api/client"
	"appstore/schema"
	"appstore/schema/cloudlaunch"
)

// Bounds of what is read.
const (
	maxImport      = 32 << 20 // bytes of a file or URL
	maxWalked      = 500_000  // files and folders in a folder
	maxDescriptors = 50_000   // in a folder
	urlTimeout     = time.Minute
)

const (
	channelsName    = "channels.yaml"
	appRegistryName = "app-registry.yaml"
)

// read makes plans of a source. What is not valid in it is reported; the error
// is that of a source that can't be read at all.
func (im *importer) read(ctx context.Context, source string) ([]*plan, error) {
	if isURL(source) {
		data, err := download(ctx, source)
		if err != nil {
			return nil, err
		}
		return im.text(source, data, nil), nil
	}
	info, err := os.Stat(source)
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return im.folder(source)
	}
	data, err := readBounded(source, maxImport)
	if err != nil {
		return nil, err
	}
	var beside []string
	if filepath.Base(source) == descriptorName {
		if beside, err = packagesIn(filepath.Dir(source)); err != nil {
			return nil, err
		}
	}
	return im.text(source, data, beside), nil
}

// text makes plans of the text of a file: CloudLaunch's registry or a
// descriptor, whose package files are beside it.
func (im *importer) text(source string, data []byte, beside []string) []*plan {
	doc, problems := schema.Reading{MaxBytes: cloudlaunch.MaxSize, MaxNodes: 500_000, YAML11: true}.Read(data)
	if doc == nil {
		im.problems(source, problems)
		return nil
	}
	if m, ok := doc.Value.(map[string]any); ok && m["apps"] != nil {
		return im.apps(source, data)
	}
	found := &releasesOf{im: im, plugins: map[string]*folderPlugin{}}
	found.add(source, data, beside)
	return found.plans()
}

func (im *importer) problems(source string, all schema.Problems) {
	for _, p := range all {
		im.problemLine(problemLine(source, client.Problem(p)))
	}
}

// folder makes plans of all descriptors in a folder.
func (im *importer) folder(root string) ([]*plan, error) {
	found := &releasesOf{im: im, plugins: map[string]*folderPlugin{}}
	walked, descriptors := 0, 0
	root += string(filepath.Separator) // follows root if it is a link, and none in it
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if walked++; walked > maxWalked {
			return fmt.Errorf("%s holds more than %d files and folders: name a smaller one", root, maxWalked)
		}
		if d.IsDir() && name != root && strings.HasPrefix(d.Name(), ".") {
			return fs.SkipDir
		}
		if d.Name() != descriptorName || !d.Type().IsRegular() {
			return nil
		}
		if descriptors++; descriptors > maxDescriptors {
			return fmt.Errorf("%s holds more than %d descriptors: name a smaller folder", root, maxDescriptors)
		}
		data, err := readBounded(name, schema.MaxSize+1)
		if err != nil {
			return err
		}
		beside, err := packagesIn(filepath.Dir(name))
		if err != nil {
			return err
		}
		found.add(name, data, beside)
		return nil
	})
	if err != nil {
		return nil, err
	}
	var plans []*plan
	registry := filepath.Join(root, appRegistryName)
	if data, err := readBounded(registry, maxImport); err == nil {
		plans = im.apps(registry, data)
	} else if descriptors == 0 {
		return nil, fmt.Errorf("there is no %s and no %s in %s", descriptorName, appRegistryName, root)
	}
	channels := filepath.Join(root, channelsName)
	if data, err := readBounded(channels, schema.MaxSize+1); err == nil {
		found.channels(channels, data)
	}
	return append(found.plans(), plans...), nil
}

// packagesIn lists the package files in a folder. Links are left out: in a
// folder from elsewhere they could lead to any file of this machine.
func packagesIn(folder string) ([]string, error) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if e.Type().IsRegular() && isPackageFile(e.Name()) {
			names = append(names, filepath.Join(folder, e.Name()))
		}
	}
	return names, nil
}

func readBounded(name string, limit int64) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(data)) > limit && limit == maxImport {
		err = fmt.Errorf("%s has more than %s", name, size(limit))
	}
	return data, err
}

// download gets a URL; secrets in it stay out of errors.
func download(ctx context.Context, address string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, urlTimeout)
	defer cancel()
	shown := address
	if u, err := url.Parse(address); err == nil {
		shown = u.Redacted()
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, usagef("%q is no URL", shown)
	}
	req.Header.Set("User-Agent", "appstore/"+programVersion())
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answered %s", shown, res.Status)
	}
	data, err := io.ReadAll(io.LimitReader(res.Body, maxImport+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", shown, err)
	}
	if len(data) > maxImport {
		return nil, fmt.Errorf("%s has more than %s", shown, size(maxImport))
	}
	return data, nil
}

// channels adds what a channels.yaml says: plugin: {channel: version}.
func (r *releasesOf) channels(source string, data []byte) {
	doc, problems := schema.Reading{}.Read(data)
	r.im.problems(source, problems)
	if doc == nil {
		return
	}
	wrong := func(pointer, message, fix string) {
		line, column := doc.Place(pointer, false)
		r.im.problems(source, schema.Problems{{Pointer: pointer, Line: line, Column: column, Message: message, Fix: fix}})
	}
	plugins, ok := doc.Value.(map[string]any)
	if !ok {
		wrong("", "this is no list of channels", "write plugin: {channel: version}")
		return
	}
	escape := strings.NewReplacer("~", "~0", "/", "~1").Replace
	for _, name := range slices.Sorted(maps.Keys(plugins)) {
		pointer := "/" + escape(name)
		if err := schema.CheckName(name); err != nil {
			wrong(pointer, err.Error(), "")
			continue
		}
		channels, ok := plugins[name].(map[string]any)
		if !ok {
			wrong(pointer, "these are no channels", "write channel: version")
			continue
		}
		p := r.plugin(name)
		for _, channel := range slices.Sorted(maps.Keys(channels)) {
			at := pointer + "/" + escape(channel)
			version, ok := channels[channel].(string)
			if !ok {
				wrong(at, "the version is no text", "put it in quotes")
				continue
			}
			line, column := doc.Place(at, false)
			p.channels = append(p.channels, wantedChannel{channel, version, fmt.Sprintf("%s:%d:%d", source, line, column)})
		}
	}
}
