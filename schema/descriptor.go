package schema

import "encoding/json"

// Descriptor is what a plugin's YAML descriptor says, in one form whichever of
// the two was written: the simple form becomes the interface "launch".
type Descriptor struct {
	Name          string                     `json:"name"`
	Version       string                     `json:"version"`
	Label         string                     `json:"label,omitempty"`
	Title         string                     `json:"title,omitempty"`
	Summary       string                     `json:"summary,omitempty"`
	Description   string                     `json:"description,omitempty"` // Markdown
	Maintainer    string                     `json:"maintainer,omitempty"`
	License       string                     `json:"license,omitempty"`
	Categories    []string                   `json:"categories,omitempty"`
	Tags          []string                   `json:"tags,omitempty"`
	Links         Links                      `json:"links,omitzero"`
	Requires      map[string]string          `json:"requires,omitempty"`    // "cloudlaunch", "python", ...: a range
	Permissions   json.RawMessage            `json:"permissions,omitempty"` // object: network, cpu, memory, pids, time
	Interfaces    map[string]Interface       `json:"interfaces,omitempty"`  // "launch", "admin", "backup", "x-..."
	Libraries     []Package                  `json:"libraries,omitempty"`
	DefaultConfig json.RawMessage            `json:"default_config,omitempty"` // as JSON
	Extensions    map[string]json.RawMessage `json:"extensions,omitempty"`     // the x-* keys
}

// Links are URLs about a plugin; "" means none.
type Links struct {
	Homepage      string `json:"homepage,omitempty"`
	Source        string `json:"source,omitempty"`
	Documentation string `json:"documentation,omitempty"`
	Icon          string `json:"icon,omitempty"`
}

// Interface is what a plugin offers its host for one purpose.
type Interface struct {
	Backend  *Component      `json:"backend,omitempty"`
	Frontend *Component      `json:"frontend,omitempty"`
	Form     json.RawMessage `json:"form,omitempty"`
}

// Component is a class or an exported name, and the package it comes from.
// Without a package it comes with the host. A back end's is module.Class, or a bare
// Class in the module of the package's name.
type Component struct {
	Package
	Component string `json:"component,omitempty"`
}

// Ecosystems of packages.
const (
	PyPI = "pypi"
	NPM  = "npm"
)

// Package is a package that a release brings, or uses.
type Package struct {
	Ecosystem string `json:"ecosystem,omitempty"` // PyPI or NPM; "" when Name is ""
	Name      string `json:"package,omitempty"`
	Version   string `json:"version,omitempty"`  // "": the version that the uploaded files say
	External  bool   `json:"external,omitempty"` // the host gets it from its own index
	SHA256    string `json:"sha256,omitempty"`   // of an external package's file, in hex
}
