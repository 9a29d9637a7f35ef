package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"appstore/api/client"
	"appstore/schema"
)

// errInvalid is the error of descriptors whose problems have been written.
var errInvalid = &reported{errors.New("not valid")}

func (a *app) validateCommand() *cobra.Command {
	return a.answersJSON(&cobra.Command{
		Use:   "validate FILE|DIR...",
		Short: "Check descriptors, without a server",
		Long: `Checks descriptors and prints every problem as file:line:column: what is wrong (and
how to fix it). In a folder all files named plugin.yaml are checked; - is the
standard input. It is the check of the server, but needs none.`,
		Example: `  appstore validate plugin.yaml
  appstore validate --json plugins/`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.validate(args)
		},
	})
}

// checkedFile is what --json tells of a file.
type checkedFile struct {
	File     string           `json:"file"`
	Valid    bool             `json:"valid"`
	Name     string           `json:"name,omitempty"`
	Version  string           `json:"version,omitempty"`
	Problems []client.Problem `json:"problems"`

	bare string
}

// bare says what a valid descriptor lacks without which nobody finds the plugin
// unless by its name: "" if nothing.
func bare(d *schema.Descriptor) string {
	if d.Summary != "" || strings.TrimSpace(strings.TrimPrefix(d.Description, schema.TemplateDescription)) != "" {
		return ""
	}
	return "it has no summary and no description, so people find it by its name only"
}

func (a *app) validate(args []string) error {
	var names []string
	for _, arg := range args {
		found, err := descriptorsAt(arg)
		if err != nil {
			return err
		}
		names = append(names, found...)
	}
	all := []checkedFile{}
	problems, bad := 0, 0
	for _, name := range names {
		data, err := a.readDescriptor(name)
		if err != nil {
			return err
		}
		d, found := schema.Parse(data)
		f := checkedFile{File: name, Valid: d != nil, Problems: []client.Problem{}}
		if d != nil {
			f.Name, f.Version, f.bare = d.Name, d.Version, bare(d)
		} else {
			bad++
		}
		for _, p := range found {
			f.Problems = append(f.Problems, client.Problem(p))
		}
		problems += len(found)
		all = append(all, f)
	}
	if a.server.json {
		if err := a.printJSON(all); err != nil {
			return err
		}
	} else {
		for _, f := range all {
			for _, p := range f.Problems {
				a.say("%s", problemLine(f.File, p))
			}
		}
		switch {
		case bad > 0:
			a.note("%s in %d of %s", count(problems, "problem", "problems"), bad, count(len(all), "descriptor", "descriptors"))
		case len(all) == 1:
			a.say("%s: %s %s is valid", all[0].File, all[0].Name, all[0].Version)
		default:
			a.say("%d descriptors are valid", len(all))
		}
		for _, f := range all {
			if f.bare != "" {
				a.note("note: %s: %s", f.File, f.bare)
			}
		}
	}
	if bad > 0 {
		return errInvalid
	}
	return nil
}

// descriptorsAt gives the descriptor at a path, or all in a folder.
func descriptorsAt(name string) ([]string, error) {
	if name == "-" {
		return []string{name}, nil
	}
	info, err := os.Stat(name)
	if err != nil || !info.IsDir() {
		return []string{name}, err
	}
	var found []string
	name += string(filepath.Separator) // follows it if it is a link, and none in it
	err = filepath.WalkDir(name, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && p != name && strings.HasPrefix(d.Name(), ".") {
			return fs.SkipDir
		}
		if d.Name() == descriptorName && d.Type().IsRegular() {
			found = append(found, p)
		}
		return nil
	})
	if err == nil && len(found) == 0 {
		err = fmt.Errorf("there is no %s in %s", descriptorName, name)
	}
	return found, err
}

// descriptorName is the name of descriptors in folders.
const descriptorName = "plugin.yaml"

// readDescriptor reads a file, or the standard input for "-", up to a byte
// more than a descriptor may have: the schema refuses that.
func (a *app) readDescriptor(name string) ([]byte, error) {
	if name == "-" {
		return io.ReadAll(io.LimitReader(a.in, schema.MaxSize+1))
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, schema.MaxSize+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return data, nil
}
