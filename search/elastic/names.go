package elastic

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// An index has three names:
//
//	<prefix>-<hash of the mapping>          alias of the index that is searched
//	<prefix>-<hash of the mapping>-<when>   the index itself
//	<the index itself>-w                    alias for writing to this index only
//
// All writes go to an alias and insist on it: Elasticsearch would make a
// missing index anew, with a mapping that it guesses, but never an alias. A
// writer whose index was replaced or deleted is told so by this.
const (
	firstSuffix = "0"  // of an index that State made, the same for all processes
	writeSuffix = "-w" // of the alias for writing
)

const (
	indexNotFound = "index_not_found_exception"
	indexExists   = "resource_already_exists_exception"
)

// current is the index that is searched; it is made if there is none.
func (x *Index) current(ctx context.Context) (string, error) {
	for range 5 {
		names, err := x.aliased(ctx)
		if err != nil {
			return "", err
		}
		if len(names) > 0 {
			return names[len(names)-1], nil
		}
		err = x.create(ctx, x.alias+"-"+firstSuffix, refreshInterval, x.alias)
		var answer *apiError
		if errors.As(err, &answer) && answer.Type == indexExists {
			err = x.awaitShard(ctx, x.alias+"-"+firstSuffix)
		}
		if err != nil {
			return "", err
		}
	}
	return "", unavailable(fmt.Errorf("index %s-%s exists, but alias %s does not point to it; delete that index", x.alias, firstSuffix, x.alias))
}

// awaitShard waits until an index that another process has just made can be
// read; until then it answers 503, as if the cluster were down. That it does
// not come is no error here: who reads it will see. Its status says nothing: an
// index that was just made is yellow before its shard is there.
func (x *Index) awaitShard(ctx context.Context, name string) error {
	err := x.call(ctx, writeTimeout, http.MethodGet, path("_cluster", "health", name)+"?wait_for_active_shards=1&timeout=10s", nil, nil)
	var answer *apiError
	if errors.As(err, &answer) && !answer.down() && !answer.refused() {
		return nil
	}
	return err
}

// aliased are the indexes that the alias names: one, or none before the first
// was made.
func (x *Index) aliased(ctx context.Context) ([]string, error) {
	var answer map[string]any
	err := x.call(ctx, readTimeout, http.MethodGet, path("_alias", x.alias), nil, &answer)
	if err != nil && !missing(err) {
		return nil, err
	}
	var names []string
	for name := range answer {
		if strings.HasPrefix(name, x.alias+"-") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, nil
}

func (x *Index) create(ctx context.Context, name, refresh string, aliases ...string) error {
	all := object{name + writeSuffix: object{}}
	for _, a := range aliases {
		all[a] = object{}
	}
	body := object{"mappings": mappings(), "settings": settings(refresh), "aliases": all}
	return x.call(ctx, writeTimeout, http.MethodPut, path(name), body, nil)
}

func (x *Index) newName() string {
	return x.alias + "-" + strconv.FormatInt(time.Now().UnixNano(), 36) + strconv.FormatUint(uint64(rand.Uint32()), 36)
}

func (x *Index) drop(ctx context.Context, name string) error {
	err := x.call(ctx, writeTimeout, http.MethodDelete, path(name), nil, nil)
	if missing(err) {
		return nil
	}
	return err
}

// orphanAge is the age at which an index that is not searched is surely left
// over from a rebuild that was killed.
const orphanAge = 6 * time.Hour

// dropOrphans removes what killed rebuilds left.
func (x *Index) dropOrphans(ctx context.Context) error {
	var all map[string]struct {
		Aliases  map[string]any `json:"aliases"`
		Settings struct {
			Index struct {
				Created string `json:"creation_date"`
			} `json:"index"`
		} `json:"settings"`
	}
	if err := x.call(ctx, readTimeout, http.MethodGet, "/"+x.alias+"-*", nil, &all); err != nil && !missing(err) {
		return err
	}
	for name, info := range all {
		created, err := strconv.ParseInt(info.Settings.Index.Created, 10, 64)
		if _, searched := info.Aliases[x.alias]; searched || err != nil || time.Since(time.UnixMilli(created)) < orphanAge {
			continue
		}
		if err := x.drop(ctx, name); err != nil {
			return err
		}
	}
	return nil
}
