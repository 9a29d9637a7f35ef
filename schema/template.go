package schema

import "strings"

// Template is a descriptor to start from, for a plugin of the given name. It has
// comments on what to write, and is valid as it is when the name is.
func Template(name string) []byte {
	module := strings.ReplaceAll(Normalise(name), "-", "_")
	if module == "" || module[0] >= '0' && module[0] <= '9' {
		module = "plugin_" + module
	}
	nameText := name
	if style(name) != 0 { // 1.0 would be a number, yes a truth value
		nameText = quoteYAML(name)
	}
	return []byte(strings.NewReplacer("NAME", nameText, "MODULE", module, "DESCRIPTION", TemplateDescription).Replace(template))
}

// quoteYAML writes a text in double quotes.
func quoteYAML(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

// TemplateDescription is what Template writes for the description.
const TemplateDescription = "What the plugin does, in *Markdown*.\n"

const template = `# A plugin of CloudLaunch. "appstore validate" says what is wrong with this file.
name: NAME
version: 0.1.0            # three numbers; a version is never used twice
title:                    # for people, at most 60 characters
summary:                  # one sentence, at most 140 characters
maintainer:               # Jane Roe <jane@example.org>
license:                  # MIT, Apache-2.0, ...
categories: []            # [containers, virtual machines]
tags: []                  # [kubernetes, cluster]
links:
  homepage:               # https://example.org
  source:
  documentation:
  icon:
description: |
  DESCRIPTION
# What the plugin needs of its host, as ranges of versions.
requires:
  cloudlaunch:            # ">=2"

# The back end is a class of a pip package, the front end a component of an npm
# module. Their files are uploaded with this one. Without a package the component
# comes with the host. Put "@scope/name" in quotes.
interfaces:
  launch:
    backend:
      package:            # cloudlaunch-example
      component: MODULE.LaunchPlugin
    frontend:
      package:            # "@example/plugin"
      component:          # LaunchComponent
  # admin:                # configures a running application; written like launch
  # backup:               # saves and restores a running application

# What a launch starts from, before the user changes it. Never templated.
default_config: {}
`
