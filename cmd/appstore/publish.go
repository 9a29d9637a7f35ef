package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"appstore/api/client"
	"appstore/schema"
)

func (a *app) publishCommand() *cobra.Command {
	return a.connects(a.answersJSON(&cobra.Command{
		Use:   "publish DIR | DESCRIPTOR [FILE...]",
		Short: "Publish a release: a descriptor and the files of its packages",
		Long: `Publishes a release. DIR is a folder with a plugin.yaml and, where the release
brings packages, their files beside it: wheels (*.whl), sdists (*.tar.gz) and npm
tarballs (*.tgz). Otherwise name the descriptor and the files.

A release never changes. Publishing the same again does no harm, so a publish whose
outcome is unknown can just be repeated.`,
		Example: `  appstore publish dist/
  appstore publish plugin.yaml dist/kube-1.0.0-py3-none-any.whl ui/kube-ui-1.0.0.tgz`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			descriptor, names, err := releaseFiles(args)
			if err != nil {
				return err
			}
			d, data, err := a.parseDescriptor(descriptor)
			if err != nil {
				return err
			}
			if what := bare(d); what != "" {
				a.note("note: %s: %s", descriptor, what)
			}
			files, err := sources(names)
			if err != nil {
				return err
			}
			c, err := a.client()
			if err != nil {
				return err
			}
			p := a.progress()
			published, err := c.Publish(cmd.Context(), d.Name, data, files, p.bytes("Sending "+d.Name+" "+d.Version))
			p.done()
			if err != nil {
				return err
			}
			if a.server.json {
				return a.printJSON(published)
			}
			what := published.Name + "@" + published.Version
			if !published.Created {
				a.say("%s was published already, with the same content: %s", what, a.link(published.Page))
				return nil
			}
			total := int64(len(data))
			for _, f := range files {
				total += f.Size
			}
			a.say("Published %s (%s, %s): %s", what, count(len(files)+1, "file", "files"), size(total), a.link(published.Page))
			if !published.Searchable {
				a.note("Search will find it in a moment.")
			}
			return nil
		},
	}))
}

// parseDescriptor reads a descriptor; all its problems are written with their
// places in the file.
func (a *app) parseDescriptor(name string) (*schema.Descriptor, []byte, error) {
	data, err := a.readDescriptor(name)
	if err != nil {
		return nil, nil, err
	}
	d, problems := schema.Parse(data)
	if d != nil {
		return d, data, nil
	}
	for _, p := range problems {
		a.note("%s", problemLine(name, client.Problem(p)))
	}
	a.note("appstore: %s: %s; nothing was published", name, count(len(problems), "problem", "problems"))
	return nil, nil, errInvalid
}

// releaseFiles tells the descriptor and the package files that arguments name.
func releaseFiles(args []string) (descriptor string, files []string, err error) {
	if info, err := os.Stat(args[0]); err == nil && info.IsDir() {
		if len(args) > 1 {
			return "", nil, usagef("name one folder, or a descriptor and files")
		}
		return folderFiles(args[0])
	}
	for _, arg := range args {
		if _, err := os.Stat(arg); err != nil && arg != "-" {
			return "", nil, err
		}
		switch {
		case !isDescriptor(arg):
			files = append(files, arg)
		case descriptor != "":
			return "", nil, usagef("%s and %s are both descriptors: a release has one", descriptor, arg)
		default:
			descriptor = arg
		}
	}
	if descriptor == "" {
		return "", nil, usagef("none of the files is a descriptor (.yaml or .yml)")
	}
	return descriptor, files, nil
}

func isDescriptor(name string) bool {
	ext := strings.ToLower(filepath.Ext(name))
	return name == "-" || ext == ".yaml" || ext == ".yml"
}

// folderFiles tells the descriptor and the package files in a folder.
func folderFiles(folder string) (descriptor string, files []string, err error) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return "", nil, err
	}
	for _, e := range entries {
		name := filepath.Join(folder, e.Name())
		if e.Name() == descriptorName {
			descriptor = name
		} else if isPackageFile(e.Name()) && !strings.HasPrefix(e.Name(), ".") && !e.IsDir() {
			files = append(files, name)
		}
	}
	if descriptor == "" {
		return "", nil, fmt.Errorf("there is no %s in %s: `appstore init` writes one to start from", descriptorName, folder)
	}
	return descriptor, files, nil
}

func isPackageFile(name string) bool {
	return slices.ContainsFunc([]string{".whl", ".tar.gz", ".tgz"}, func(end string) bool { return strings.HasSuffix(name, end) })
}

func sources(names []string) ([]client.FileSource, error) {
	var all []client.FileSource
	for _, name := range names {
		f, err := client.FileAt(name)
		if err != nil {
			return nil, err
		}
		all = append(all, f)
	}
	return all, nil
}
