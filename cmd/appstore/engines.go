package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"appstore/search"
	"appstore/search/bleve"
	"appstore/search/elastic"
	"appstore/storage"
	"appstore/storage/files"
	"appstore/storage/s3"
)

// openStore opens the storage that the settings name. The closer may be nil.
func (c *config) openStore(ctx context.Context) (store storage.Store, closer func() error, err error) {
	if c.s3Endpoint != "" {
		s, err := s3.Open(ctx, c.s3Options())
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

// openStoreToRead opens the storage beside a server that may be using it.
func (c *config) openStoreToRead(ctx context.Context) (storage.Store, error) {
	if c.s3Endpoint != "" {
		s, err := s3.OpenReadOnly(ctx, c.s3Options())
		if err != nil {
			return nil, fmt.Errorf("%w (settings: --s3-...)", err)
		}
		return s, nil
	}
	s, err := files.OpenReadOnly(c.data)
	if err != nil {
		return nil, fmt.Errorf("%w (setting: %s)", err, c.name("data"))
	}
	return s, nil
}

func (c *config) s3Options() s3.Options {
	return s3.Options{
		Endpoint: c.s3Endpoint, Region: c.s3Region, Bucket: c.s3Bucket, Prefix: c.s3Prefix,
		AccessKey: c.s3AccessKey, SecretKey: c.s3SecretKey, CA: c.s3CA,
	}
}

// openIndex opens the search index that the settings name. Elasticsearch need
// not answer yet.
func (c *config) openIndex(ctx context.Context, log *slog.Logger) (search.Index, error) {
	if len(c.elasticURLs) > 0 {
		return c.openElastic(ctx, log)
	}
	index, err := bleve.Open(filepath.Join(c.data, "bleve"))
	if err != nil {
		return nil, fmt.Errorf("%w (setting: %s)", err, c.name("data"))
	}
	return index, nil
}

func (c *config) openElastic(ctx context.Context, log *slog.Logger) (search.Index, error) {
	var ca []byte
	if c.elasticCA != "" {
		var err error
		if ca, err = os.ReadFile(c.elasticCA); err != nil {
			return nil, usagef("%s: %v", c.name("elasticsearch-ca"), err)
		}
	}
	index, err := elastic.Open(ctx, elastic.Options{
		URLs: c.elasticURLs, APIKey: c.elasticKey, CA: ca, Prefix: c.elasticIndex, Logger: log,
	})
	if err != nil {
		return nil, fmt.Errorf("%w (settings: --elasticsearch-...)", err)
	}
	return index, nil
}
