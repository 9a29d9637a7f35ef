package main

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"

	"appstore/search"
	"appstore/search/bleve"
	"appstore/storage"
	"appstore/storage/files"
	"appstore/storage/s3"
)

// openStore opens the storage that the settings name. The closer may be nil.
func (c *config) openStore(ctx context.Context) (store storage.Store, closer func() error, err error) {
	if c.s3Endpoint != "" {
		s, err := s3.Open(ctx, s3.Options{
			Endpoint: c.s3Endpoint, Region: c.s3Region, Bucket: c.s3Bucket, Prefix: c.s3Prefix,
			AccessKey: c.s3AccessKey, SecretKey: c.s3SecretKey, CA: c.s3CA,
		})
		if err != nil {
			return nil, nil, fmt.Errorf("%w (settings: --s3-...)", err)
		}
		return s, func() error { return nil }, nil
	}
	s, err := files.Open(c.data)
	if err != nil {
		return nil, nil, fmt.Errorf("%w (setting: %s)", err, c.name("data"))
	}
	return s, s.Close, nil
}

// openIndex opens the search index that the settings name.
func (c *config) openIndex(ctx context.Context, log *slog.Logger) (search.Index, error) {
	index, err := bleve.Open(filepath.Join(c.data, "bleve"))
	if err != nil {
		return nil, fmt.Errorf("%w (a search index can be deleted: it is made anew)", err)
	}
	return index, nil
}
