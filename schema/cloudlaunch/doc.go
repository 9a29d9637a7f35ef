// Package cloudlaunch reads and writes app-registry.yaml, the catalogue of
// CloudLaunch (github.com/galaxyproject/cloudlaunch-registry), and turns its apps
// into descriptors and listings and back.
//
// # The file
//
// The file is a mapping with the one key apps, a list. [Read] gives an [App] for each
// entry. An app with a problem is left out and does not stop the others; every
// problem of every app is told with its line. Unknown keys are problems, so nothing
// is dropped in silence. The file is read as PyYAML reads it (YAML 1.1: yes and on
// are truth values), because CloudLaunch does. The limits are those of CloudLaunch's
// models: slug 100, name 60, summary 140, maintainer, component names and path 255,
// description 32,767, URL 2,048, version 30 characters; a status is LIVE, DEV or
// CERTIFICATION; a default version is one of the versions.
//
// A text that is null in the file and one that is empty are both "" in Go; Blank names
// the keys whose text is empty. [Write] gives each back as it was.
//
// # To descriptors
//
// An app is a plugin, and each of its versions a line of releases, known by its
// label. [App.Descriptors] makes a descriptor of each version, which [schema.Parse]
// accepts:
//
//	slug                      name, spelled as it is
//	name                      title
//	version                   label
//	summary, maintainer, description      the same
//	info_url, icon_url        links.homepage, links.icon
//	backend_component_name    interfaces.launch.backend.component; no package: it comes with the host
//	frontend_component_name   interfaces.launch.frontend.component
//	default_launch_config     default_config: the version's merged over the app's ([MergeConfigs])
//
// The number of the release is decided later: [Converted.Render] writes the text for
// one, [BaseVersion] suggests one, [NextVersion] finds the next that is free. The
// label, not the number, is the identity; whether a label needs a new release is
// told by [Content].
//
// What has no place in a descriptor is under x-cloudlaunch ([Extension]):
// frontend_component_path; where the app has a launch config, the two configs before
// they were merged (app_launch_config, launch_config); and blank, the keys whose text is empty.
//
// # The listing
//
// What is said of the app and not of a version is its [Listing]: status, order,
// icon, default version and so on. A status hides nothing. [AppOf] puts the app
// together again from its listing and a descriptor for each label; the tests hold
// that it is the app that was read, for the real catalogue too, which
// APPSTORE_TEST_CLOUDLAUNCH_REGISTRY names.
package cloudlaunch
