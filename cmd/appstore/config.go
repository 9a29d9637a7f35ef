package main

import (
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// config is all that a server can be told. Every setting is a flag and a
// variable; see settings.
type config struct {
	addr, publicURL, data, importFrom string
	logFormat, logLevel               string
	pipUpstream, npmUpstream          string

	s3Endpoint, s3Bucket, s3Prefix, s3Region, s3AccessKey, s3CA string
	s3SecretKeyFile, s3SecretKey                                string

	elasticURLs                []string
	elasticIndex, elasticCA    string
	elasticKeyFile, elasticKey string
	level                      slog.Level
	givenBy                    map[string]string // setting: "--flag" or "APPSTORE_X", where one was given
}

const (
	defaultAddr = "127.0.0.1:8080"
	defaultData = "appstore-data"
)

// setting is one line of the table: a flag, and the variable APPSTORE_ with
// the flag's name in capitals. A secret has no flag of its own, because every
// user of the machine can see the flags of a process: it is in the variable, or
// in the file that the flag with -file at its end names.
type setting struct {
	flag, def, help string
	to              *string
	list            *[]string // instead of to
	secret          *string   // beside to: what the file holds
}

func (s setting) variable() string {
	return "APPSTORE_" + strings.ToUpper(strings.ReplaceAll(s.flag, "-", "_"))
}

// Parts of the table; commands take those they need.
const (
	partServer = "server"
	partData   = "data"
	partS3     = "s3"
	partSearch = "search"
)

func (c *config) settings(part string) []setting {
	return map[string][]setting{
		partServer: {
			{flag: "addr", def: defaultAddr, to: &c.addr, help: "`host:port` to listen on; port 0 takes a free one"},
			{flag: "public-url", to: &c.publicURL, help: "`URL` under which clients see the server, with its path prefix; links begin with it"},
			{flag: "import", to: &c.importFrom, help: "catalogue (`path`) to import at the start: a folder of descriptors, a descriptor, or an app-registry.yaml"},
			{flag: "pip-upstream", to: &c.pipUpstream, help: "`URL` of a Python package index (/simple/, with JSON) that answers for names never published here; off by default"},
			{flag: "npm-upstream", to: &c.npmUpstream, help: "`URL` of an npm registry that answers for names never published here; off by default"},
			{flag: "log-format", def: "text", to: &c.logFormat, help: "text or json"},
			{flag: "log-level", def: "info", to: &c.logLevel, help: "debug, info, warn or error"},
		},
		partData: {
			{flag: "data", def: defaultData, to: &c.data, help: "`folder` of the objects (unless S3 keeps them), the token and local files"},
		},
		partS3: {
			{flag: "s3-endpoint", to: &c.s3Endpoint, help: "`URL` of an S3 server; without it the objects are files in the data folder"},
			{flag: "s3-bucket", to: &c.s3Bucket, help: "`bucket`; made if it is absent"},
			{flag: "s3-prefix", to: &c.s3Prefix, help: "`prefix` of all keys in the bucket"},
			{flag: "s3-region", to: &c.s3Region, help: "`region` (default us-east-1)"},
			{flag: "s3-access-key", to: &c.s3AccessKey, help: "`id` of the access key"},
			{flag: "s3-secret-key-file", to: &c.s3SecretKeyFile, secret: &c.s3SecretKey, help: "`file` with the secret key; else APPSTORE_S3_SECRET_KEY has it"},
			{flag: "s3-ca", to: &c.s3CA, help: "PEM `file` with a CA to trust beside the system's"},
		},
		partSearch: {
			{flag: "elasticsearch-url", list: &c.elasticURLs, help: "`URL` of Elasticsearch 8, several with commas or repeated; without it the search index is in the data folder"},
			{flag: "elasticsearch-index", def: "appstore", to: &c.elasticIndex, help: "`prefix` of the names of the index and its aliases: appstore gives appstore-<hash of the mapping>"},
			{flag: "elasticsearch-api-key-file", to: &c.elasticKeyFile, secret: &c.elasticKey, help: "`file` with an API key; else APPSTORE_ELASTICSEARCH_API_KEY has it"},
			{flag: "elasticsearch-ca", to: &c.elasticCA, help: "PEM `file` with a CA to trust beside the system's"},
		},
	}[part]
}

// flags gives cmd the flags of parts of the table.
func (c *config) flags(cmd *cobra.Command, parts ...string) {
	f := cmd.Flags()
	for _, part := range parts {
		for _, s := range c.settings(part) {
			help := s.help + " (" + s.variable() + ")"
			if s.list != nil {
				f.StringSliceVar(s.list, s.flag, nil, help)
			} else {
				f.StringVar(s.to, s.flag, s.def, help)
			}
		}
	}
}

// read fills in what flags did not say from the variables, reads the files of
// secrets, and checks the values.
func (c *config) read(cmd *cobra.Command, env func(string) string, parts ...string) error {
	c.givenBy = map[string]string{}
	for _, part := range parts {
		for _, s := range c.settings(part) {
			if cmd.Flags().Changed(s.flag) {
				c.givenBy[s.flag] = "--" + s.flag
			} else if v := env(s.variable()); v != "" {
				if err := cmd.Flags().Set(s.flag, v); err != nil {
					return usagef("%s: %v", s.variable(), err)
				}
				c.givenBy[s.flag] = s.variable()
			}
			if s.secret == nil {
				continue
			}
			variable := strings.TrimSuffix(s.variable(), "_FILE")
			*s.secret = strings.TrimSpace(env(variable))
			if *s.to == "" {
				continue
			}
			if *s.secret != "" {
				return usagef("%s and %s are both set: choose one", c.givenBy[s.flag], variable)
			}
			text, err := os.ReadFile(*s.to)
			if err != nil {
				return usagef("%s: %v", c.givenBy[s.flag], err)
			}
			*s.secret = strings.TrimSpace(string(text))
		}
	}
	for _, part := range parts {
		if err := c.check(part); err != nil {
			return err
		}
	}
	return nil
}

// name is how the user gave a setting, or could.
func (c *config) name(flag string) string {
	if by, ok := c.givenBy[flag]; ok {
		return by
	}
	return "--" + flag
}

func (c *config) check(part string) error {
	switch part {
	case partServer:
		if _, _, err := net.SplitHostPort(c.addr); err != nil {
			return usagef("%s: %q is no address to listen on: write it like %s", c.name("addr"), c.addr, defaultAddr)
		}
		if !slices.Contains([]string{"text", "json"}, c.logFormat) {
			return usagef("%s: %q is no format of the log: use text or json", c.name("log-format"), c.logFormat)
		}
		if !slices.Contains([]string{"debug", "info", "warn", "error"}, c.logLevel) {
			return usagef("%s: %q is no level of the log: use debug, info, warn or error", c.name("log-level"), c.logLevel)
		}
		if err := c.level.UnmarshalText([]byte(c.logLevel)); err != nil {
			return err
		}
		if c.importFrom != "" && !isURL(c.importFrom) {
			if _, err := os.Stat(c.importFrom); err != nil {
				return usagef("%s: %v", c.name("import"), errors.Unwrap(err))
			}
		}
	case partData:
		if c.data == "" {
			return usagef("%s: name the data folder", c.name("data"))
		}
	case partS3:
		return c.checkS3()
	case partSearch:
		return c.checkSearch()
	}
	return nil
}

func (c *config) checkS3() error {
	if c.s3Endpoint == "" {
		for _, s := range c.settings(partS3) {
			if by, ok := c.givenBy[s.flag]; ok {
				return usagef("%s is set, but --s3-endpoint (APPSTORE_S3_ENDPOINT) is not: name the S3 server, or leave all of S3 out", by)
			}
		}
		return nil
	}
	for _, needed := range []struct{ flag, value, how string }{
		{"s3-bucket", c.s3Bucket, "--s3-bucket or APPSTORE_S3_BUCKET"},
		{"s3-access-key", c.s3AccessKey, "--s3-access-key or APPSTORE_S3_ACCESS_KEY"},
		{"s3-secret-key", c.s3SecretKey, "APPSTORE_S3_SECRET_KEY or --s3-secret-key-file"},
	} {
		if needed.value == "" {
			return usagef("%s is set, so %s is needed: set %s", c.name("s3-endpoint"), needed.flag, needed.how)
		}
	}
	return nil
}

func (c *config) checkSearch() error {
	if len(c.elasticURLs) == 0 {
		for _, s := range c.settings(partSearch) {
			if by, ok := c.givenBy[s.flag]; ok {
				return usagef("%s is set, but --elasticsearch-url (APPSTORE_ELASTICSEARCH_URL) is not: name the server, or leave all of Elasticsearch out", by)
			}
		}
		return nil
	}
	for i, u := range c.elasticURLs {
		c.elasticURLs[i] = strings.TrimRight(strings.TrimSpace(u), "/")
		if !isURL(c.elasticURLs[i]) {
			return usagef("%s: %q is no URL of a server: write it like http://127.0.0.1:9200", c.name("elasticsearch-url"), u)
		}
	}
	return nil
}

func isURL(s string) bool {
	return strings.HasPrefix(s, "http://") || strings.HasPrefix(s, "https://")
}

// logger writes to w as the settings say.
func (c *config) logger(w io.Writer) *slog.Logger {
	o := &slog.HandlerOptions{Level: c.level}
	if c.logFormat == "json" {
		return slog.New(slog.NewJSONHandler(w, o))
	}
	return slog.New(slog.NewTextHandler(w, o))
}
