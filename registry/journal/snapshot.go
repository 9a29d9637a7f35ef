package journal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"appstore/storage"
)

// keepSnapshots is how many stay; a replica may be reading the one before the newest.
const keepSnapshots = 3

func (j *Journal) snapshotKey(position uint64) string {
	return fmt.Sprintf("snapshots/%s/%012d", j.name, position)
}

// SaveSnapshot stores what the events up to position add up to, so that a
// fresh replica need not read them all. The bytes are the caller's own.
func (j *Journal) SaveSnapshot(ctx context.Context, position uint64, content io.ReadSeeker, size int64) error {
	if err := j.store.Put(ctx, j.snapshotKey(position), content, size); err != nil {
		return err
	}
	keys, err := j.snapshots(ctx)
	if err != nil {
		return err
	}
	var useful []string
	for _, key := range keys {
		ok, err := j.reaches(ctx, key)
		if err != nil {
			return err
		}
		if ok {
			useful = append(useful, key)
		} else if err := j.store.Delete(ctx, key); err != nil {
			return err
		}
	}
	for len(useful) > keepSnapshots {
		if err := j.store.Delete(ctx, useful[0]); err != nil {
			return err
		}
		useful = useful[1:]
	}
	return nil
}

// reaches tells whether the journal has the entry that a snapshot was made at.
// One that was put back from a backup may not, while the snapshot stayed.
func (j *Journal) reaches(ctx context.Context, snapshot string) (bool, error) {
	position, err := strconv.ParseUint(snapshot[strings.LastIndexByte(snapshot, '/')+1:], 10, 64)
	if err != nil {
		return false, nil
	}
	_, err = j.Read(ctx, position)
	if errors.Is(err, storage.ErrNotExist) {
		return position == 0, nil
	}
	if errors.Is(err, ErrNewer) || errors.Is(err, ErrChain) {
		err = nil
	}
	return err == nil, err
}

// LatestSnapshot opens the newest snapshot, or returns an error that wraps storage.ErrNotExist.
func (j *Journal) LatestSnapshot(ctx context.Context) (io.ReadCloser, error) {
	keys, err := j.snapshots(ctx)
	if err != nil {
		return nil, err
	}
	for _, key := range slices.Backward(keys) {
		if ok, err := j.reaches(ctx, key); err != nil {
			return nil, err
		} else if !ok {
			continue
		}
		r, _, err := j.store.Get(ctx, key, storage.Read{})
		if errors.Is(err, storage.ErrNotExist) {
			continue // swept by another replica meanwhile
		}
		return r, err
	}
	return nil, fmt.Errorf("no snapshot of journal %s: %w", j.name, storage.ErrNotExist)
}

func (j *Journal) snapshots(ctx context.Context) ([]string, error) {
	var keys []string
	for info, err := range j.store.List(ctx, strings.TrimSuffix(j.snapshotKey(0), "000000000000"), "") {
		if err != nil {
			return nil, err
		}
		keys = append(keys, info.Key)
	}
	return keys, nil
}
