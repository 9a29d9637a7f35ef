// Package compat gives the AppStore's plugins in the forms of CloudLaunch, so
// that a CloudLaunch installation can take its catalogue from here.
//
// # The registry file
//
// [Catalogue.File] and [Catalogue.Part] write app-registry.yaml, which the
// command import_app_data of CloudLaunch (since December 2019) reads from a URL.
// Package schema/cloudlaunch has its fields and limits. An app is a plugin; its
// versions are the newest live release of each label, and a release without a
// label has its version as one. What CloudLaunch could not launch is left out: a
// plugin without a live release, and releases without the interface "launch" unless
// the plugin came from CloudLaunch, where such versions may be.
//
//	slug              the name as first published; "." becomes "-", as a slug has none
//	name, summary, icon_url, status, display_order
//	                  the listing's; else those of the release that no ref means;
//	                  without any, the name cut to 60 characters, LIVE and 10000
//	maintainer, description, info_url
//	                  those of the release that no ref means
//	default_version   the label of the release that no ref means, if it is one of versions
//
// What an import kept of the catalogue that it came from (Listing.Source) comes
// before what the release says, so that the same data comes out again.
//
// What is written here is read by CloudLaunch without any check. So each app is
// read back by schema/cloudlaunch, which knows CloudLaunch's limits; one that it
// refuses is left out, and the log says why.
//
// The order is that of the names, so the text is the same, byte for byte, until a
// plugin changes.
//
// # The applications
//
// [Application] is what CloudLaunch 2.0.2 answers at /api/v1/applications/. As
// there, only apps whose status is LIVE are listed, in the order of
// display_order. CloudLaunch's cloud_config and default_cloud are about the
// clouds of one installation: they are empty here.
//
// # What is kept
//
// An app is made once for each state of its plugin (its Mark), and what a
// descriptor's file says is read once for its digest, as a file never changes.
// Both are bounded in bytes.
package compat
