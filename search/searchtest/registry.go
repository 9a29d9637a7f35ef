package searchtest

import (
	"fmt"
	"os"
	"strings"

	"appstore/search"

	"gopkg.in/yaml.v3"
)

// readRegistry makes documents of CloudLaunch's catalogue, only as far as a
// search needs it; the real import is elsewhere.
func readRegistry(path string) ([]search.Doc, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var file struct {
		Apps []struct {
			Slug           string
			Name           string
			Status         string
			Summary        string
			Maintainer     string
			Description    string
			DefaultVersion string `yaml:"default_version"`
		}
	}
	if err := yaml.Unmarshal(data, &file); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	var docs []search.Doc
	for i, a := range file.Apps {
		docs = append(docs, search.Doc{
			Position: uint64(i + 1), Name: strings.ReplaceAll(a.Slug, "_", "-"), Spelling: a.Slug, Title: a.Name, Summary: a.Summary,
			Description: a.Description, Maintainer: a.Maintainer, Label: a.DefaultVersion, Version: "1.0.0",
			Interfaces: []string{"launch"}, Trust: "untrusted", Status: a.Status, Updated: Now.AddDate(-1, 0, 0),
		})
	}
	return docs, nil
}
