package web

import (
	"maps"
	"net/url"
	"slices"

	"appstore/api/client"
	"appstore/schema"
)

// Plugin is a plugin as the API answers it, and the release that is looked at.
type Plugin struct {
	Plugin  *client.Plugin
	Release *client.Release // nil: none is live
	Server  string          // the public address, for the commands shown; "" if it has none
}

type iface struct {
	Name string
	schema.Interface
}

type channel struct{ Name, Version, Link string }

type row struct {
	client.ReleaseSummary
	Link    string
	Current bool
}

// chip is a category or tag, with a link to the search for it.
type chip struct{ Value, Link string }

// Plugin makes the page of one plugin.
func (p *Pages) Plugin(in Plugin) ([]byte, error) {
	v := struct {
		Plugin
		P           *client.Plugin
		Interfaces  []iface
		Channels    []channel
		Rows        []row
		Categories  []chip
		Tags        []chip
		Requires    [][2]string
		Description any // template.HTML
		Default     bool
		Links       [][2]string
		Older       string   // link to the next page of releases; "" at the end
		Installs    []string // commands of pip and npm, where the server has a public address
	}{Plugin: in, P: in.Plugin}
	self := "/plugins/" + url.PathEscape(in.Plugin.ID)
	release := func(version string) string { return p.at(self, url.Values{"ref": {version}}) }
	for _, name := range slices.Sorted(maps.Keys(in.Plugin.Channels)) {
		version := in.Plugin.Channels[name]
		v.Channels = append(v.Channels, channel{name, version, release(version)})
	}
	for _, r := range in.Plugin.Releases {
		v.Rows = append(v.Rows, row{r, release(r.Version), in.Release != nil && r.Version == in.Release.Version})
	}
	if in.Plugin.Next != "" {
		v.Older = p.at(self, url.Values{"after": {in.Plugin.Next}}) + "#releases"
	}
	if r := in.Release; r != nil {
		d := r.Descriptor
		v.Default = r.Version == in.Plugin.Default
		for _, name := range slices.Sorted(maps.Keys(d.Interfaces)) {
			v.Interfaces = append(v.Interfaces, iface{name, d.Interfaces[name]})
		}
		for _, c := range d.Categories {
			v.Categories = append(v.Categories, chip{c, p.at("/", url.Values{"category": {c}})})
		}
		for _, t := range d.Tags {
			v.Tags = append(v.Tags, chip{t, p.at("/", url.Values{"tag": {t}})})
		}
		for _, key := range slices.Sorted(maps.Keys(d.Requires)) {
			v.Requires = append(v.Requires, [2]string{key, d.Requires[key]})
		}
		for _, link := range [][2]string{{"Homepage", d.Links.Homepage}, {"Documentation", d.Links.Documentation}, {"Source code", d.Links.Source}} {
			if link[1] != "" {
				v.Links = append(v.Links, link)
			}
		}
		if in.Server != "" {
			v.Installs = installs(in.Server, slices.Concat(r.Files, r.Uses))
		}
		html, err := markdown(d.Description)
		if err != nil {
			return nil, err
		}
		v.Description = html
	}
	return p.render("plugin", page{Title: in.Plugin.Title, View: v})
}

// installs are the commands that install the packages of a release.
func installs(server string, files []client.File) (commands []string) {
	for _, f := range files {
		command := "pip install --index-url " + server + "/simple/ " + f.Package + "==" + f.Version
		if f.Ecosystem == schema.NPM {
			command = "npm install --registry " + server + "/npm/ " + f.Package + "@" + f.Version
		}
		if !slices.Contains(commands, command) {
			commands = append(commands, command)
		}
	}
	return commands
}
