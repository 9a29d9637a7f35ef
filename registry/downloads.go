package registry

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"appstore/schema"
	"appstore/search"
	"appstore/storage"
)

const (
	// flushEvery is the most that a crash loses of the counts.
	flushEvery = 5 * time.Second
	// sumEvery is how old the other replicas' counts may be, and the index's.
	sumEvery = time.Minute
	// closeAfter is how long after its end a day is summed up: by then every
	// replica has long written its last count of it.
	closeAfter = 24 * time.Hour

	maxStats = 64 << 20 // bytes of one object of counts
)

// counts are downloads by plugin, and then by "version/client".
type counts map[string]map[string]uint64

func (c counts) add(plugin, key string, n uint64) {
	if c[plugin] == nil {
		c[plugin] = map[string]uint64{}
	}
	c[plugin][key] += n
}

func (c counts) addAll(d counts) {
	for plugin, keys := range d {
		for key, n := range keys {
			c.add(plugin, key, n)
		}
	}
}

// downloads counts what is fetched without writing on the way: each process
// keeps its own counts of a day in one object, stats/day/<day>/<process>, that
// it overwrites every few seconds. Readers add up the objects of all processes.
// A day that is over is summed up into stats/sum/<day>, created once; the
// objects of its processes are then of no more use, and are removed.
type downloads struct {
	r       *Registry
	process string

	reading sync.Mutex // one look at the store at a time

	mu    sync.Mutex
	own   map[string]counts // by day, what this process counted
	dirty map[string]bool   // days with counts that are not written
	parts map[string]part   // by key: the objects of other processes and of summed days
	old   counts            // the sums of the days that left recentDays
	past  map[string]bool   // which days are in old
	total map[string]uint64 // by plugin, of all of these
}

// part is one object of counts as it was read.
type part struct {
	day, mark string // mark: when it was written, and its size
	counts    counts
}

// recentDays is how many days are told apart; what is older is one number.
const recentDays = 30

func newDownloads(r *Registry) *downloads {
	return &downloads{
		r: r, process: strings.ToLower(rand.Text()),
		own: map[string]counts{}, dirty: map[string]bool{}, parts: map[string]part{},
		old: counts{}, past: map[string]bool{}, total: map[string]uint64{},
	}
}

const dayLayout = "2006-01-02"

// CountDownload counts one file of a release that was served to a kind of
// client, such as "pip" ([a-z]+). It only adds to a number in memory.
func (r *Registry) CountDownload(plugin, version, client string) {
	day := time.Now().UTC().Format(dayLayout)
	d := r.downloads
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.own[day] == nil {
		d.own[day] = counts{}
	}
	d.own[day].add(plugin, version+"/"+client, 1)
	d.dirty[day] = true
	d.total[plugin]++
}

// Downloads are the downloads of a plugin so far, by all replicas.
type Downloads struct {
	Total    uint64
	Releases map[string]uint64            // by version
	Clients  map[string]uint64            // by kind of client
	Days     map[string]map[string]uint64 // the last 30 days: day -> version -> downloads
}

// Downloads of one plugin. Counts of other replicas are at most a minute and a
// few seconds old.
func (r *Registry) Downloads(name string) Downloads {
	name = schema.Normalise(name)
	oldest := time.Now().UTC().AddDate(0, 0, -recentDays).Format(dayLayout)
	res := Downloads{Releases: map[string]uint64{}, Clients: map[string]uint64{}, Days: map[string]map[string]uint64{}}
	r.downloads.mu.Lock()
	defer r.downloads.mu.Unlock()
	r.downloads.each(func(day string, c counts) {
		for key, n := range c[name] {
			version, client, _ := strings.Cut(key, "/")
			res.Total += n
			res.Releases[version] += n
			res.Clients[client] += n
			if day > oldest {
				if res.Days[day] == nil {
					res.Days[day] = map[string]uint64{}
				}
				res.Days[day][version] += n
			}
		}
	})
	return res
}

// each calls f, under d.mu, for the counts of every object; day is "" for those
// of long ago.
func (d *downloads) each(f func(day string, c counts)) {
	f("", d.old)
	for day, c := range d.own {
		f(day, c)
	}
	for _, p := range d.parts {
		f(p.day, p.counts)
	}
}

// totals are the downloads of each plugin.
func (d *downloads) totals() map[string]uint64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return maps.Clone(d.total)
}

func (d *downloads) of(plugin string) uint64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.total[plugin]
}

func (d *downloads) run(ctx context.Context) {
	flush, sum := time.NewTicker(flushEvery), time.NewTicker(sumEvery)
	defer flush.Stop()
	defer sum.Stop()
	d.gather(ctx)
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), flushEvery)
			defer cancel()
			d.flush(last)
			return
		case <-flush.C:
			d.flush(ctx)
		case <-sum.C:
			d.gather(ctx)
		}
	}
}

// flush writes the counts of this process that changed.
func (d *downloads) flush(ctx context.Context) {
	d.mu.Lock()
	texts := map[string][]byte{}
	for day := range d.dirty {
		text, err := json.Marshal(d.own[day])
		if err == nil {
			texts[day] = text
		}
	}
	clear(d.dirty)
	d.mu.Unlock()
	for day, text := range texts {
		key := "stats/day/" + day + "/" + d.process
		if err := d.r.store.Put(ctx, key, bytes.NewReader(text), int64(len(text))); err != nil {
			d.mu.Lock()
			d.dirty[day] = true // once more, later
			d.mu.Unlock()
			d.r.log.Warn("download counts are not written; they are kept and tried again", "day", day, "error", err)
		}
	}
}

// gather reads what other processes counted, sums up days that are over, and
// tells the index what changed.
func (d *downloads) gather(ctx context.Context) {
	d.reading.Lock()
	defer d.reading.Unlock()
	if err := d.readAll(ctx); err != nil {
		if ctx.Err() == nil {
			d.r.log.Warn("download counts of other replicas can't be read", "error", err)
		}
		return
	}
	var changed []string
	for plugin, n := range d.totals() {
		if n != d.r.index.told(plugin) {
			changed = append(changed, plugin)
		}
	}
	slices.Sort(changed)
	d.r.index.retell(ctx, changed)
}

func (d *downloads) readAll(ctx context.Context) error {
	oldest := time.Now().UTC().AddDate(0, 0, -recentDays).Format(dayLayout)
	seen := map[string]bool{}   // keys that are there
	summed := map[string]bool{} // days
	for _, prefix := range []string{"stats/sum/", "stats/day/"} {
		for info, err := range d.r.store.List(ctx, prefix, "") {
			if err != nil {
				return err
			}
			day, process, _ := strings.Cut(strings.TrimPrefix(info.Key, prefix), "/")
			if prefix == "stats/sum/" {
				summed[day] = true
			} else if summed[day] { // a crash, or a process that was cut off, left it
				if err := d.r.store.Delete(ctx, info.Key); err != nil {
					return err
				}
				continue
			} else if process == d.process {
				continue
			}
			seen[info.Key] = true
			if err := d.readPart(ctx, info, day, summed[day] && day < oldest); err != nil {
				return err
			}
		}
	}
	d.mu.Lock()
	over := map[string]bool{} // days to be summed up
	isOver := func(day string) {
		if begin, err := time.Parse(dayLayout, day); err == nil && !summed[day] && time.Since(begin.AddDate(0, 0, 1)) > closeAfter {
			over[day] = true
		}
	}
	for key, p := range d.parts {
		if !seen[key] {
			delete(d.parts, key)
		} else {
			isOver(p.day)
		}
	}
	for day := range d.own {
		if summed[day] {
			delete(d.own, day) // it is in the sum
		} else {
			isOver(day)
		}
	}
	clear(d.total)
	d.each(func(_ string, c counts) {
		for plugin, keys := range c {
			for _, n := range keys {
				d.total[plugin] += n
			}
		}
	})
	d.mu.Unlock()
	for day := range over {
		if err := d.sumUp(ctx, day); err != nil {
			return err
		}
	}
	return nil
}

// readPart reads one object of counts unless it is known; one of long ago is
// added to the old ones, since it never changes. Those of today and yesterday are
// read each time: they change often, and where a store's times are whole seconds, a
// change need not show in what the list says.
func (d *downloads) readPart(ctx context.Context, info storage.Info, day string, old bool) error {
	mark := fmt.Sprint(info.Modified.UnixNano(), " ", info.Size)
	d.mu.Lock()
	known := d.past[day] || d.parts[info.Key].mark == mark && day < time.Now().UTC().AddDate(0, 0, -1).Format(dayLayout)
	d.mu.Unlock()
	if known && !old || d.past[day] {
		return nil
	}
	c, err := d.readOne(ctx, info.Key)
	if errors.Is(err, storage.ErrNotExist) {
		return nil // summed up and removed meanwhile
	}
	if err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if !old {
		d.parts[info.Key] = part{day: day, mark: mark, counts: c}
		return nil
	}
	delete(d.parts, info.Key)
	d.past[day] = true
	d.old.addAll(c)
	return nil
}

func (d *downloads) readOne(ctx context.Context, key string) (counts, error) {
	r, _, err := d.r.store.Get(ctx, key, storage.Read{})
	if err != nil {
		return nil, err
	}
	defer r.Close()
	var c counts
	if err := json.NewDecoder(io.LimitReader(r, maxStats)).Decode(&c); err != nil {
		return nil, fmt.Errorf("%s: %w", key, err)
	}
	return c, nil
}

// sumUp creates the sum of a day that is over. Of racing replicas one wins;
// all read the same objects, which nobody writes any more.
func (d *downloads) sumUp(ctx context.Context, day string) error {
	d.flush(ctx)
	d.mu.Lock()
	unwritten := d.dirty[day]
	d.mu.Unlock()
	if unwritten {
		return fmt.Errorf("the counts of %s are not written yet", day)
	}
	sum := counts{}
	var keys []string
	for info, err := range d.r.store.List(ctx, "stats/day/"+day+"/", "") {
		if err != nil {
			return err
		}
		c, err := d.readOne(ctx, info.Key)
		if errors.Is(err, storage.ErrNotExist) {
			return nil // another replica has summed it up, and removes them
		}
		if err != nil {
			return err
		}
		sum.addAll(c)
		keys = append(keys, info.Key)
	}
	text, err := json.Marshal(sum)
	if err != nil {
		return err
	}
	if err := d.r.store.Create(ctx, "stats/sum/"+day, text); err != nil && !errors.Is(err, storage.ErrExist) {
		return err
	}
	for _, key := range keys {
		if err := d.r.store.Delete(ctx, key); err != nil {
			return err
		}
	}
	return nil
}

// told is the number of downloads that the index was last told of a plugin.
func (x *indexer) told(plugin string) uint64 {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.downloads[plugin]
}

// retell puts the documents of plugins whose downloads changed. They are at
// the position that the index has already, which an equal one overwrites.
func (x *indexer) retell(ctx context.Context, plugins []string) {
	for part := range slices.Chunk(plugins, indexBatch) {
		err := func() error {
			x.putting.Lock()
			defer x.putting.Unlock()
			state, err := x.index.State(ctx)
			if err != nil {
				return err
			}
			var docs []search.Doc
			err = x.r.cat.view(func(t tx) error {
				for _, name := range part {
					if _, ok := t.plugin(name); !ok {
						continue // counted before the store was put back to an older state
					}
					doc, err := x.document(t, name)
					if err != nil {
						return err
					}
					docs = append(docs, doc)
				}
				return nil
			})
			if err != nil || len(docs) == 0 {
				return err
			}
			put, cancel := context.WithTimeout(ctx, indexTimeout)
			defer cancel()
			if err := x.index.Put(put, state.Mark, docs...); err != nil {
				return err
			}
			x.tell(docs)
			return nil
		}()
		if err != nil {
			return // the next minute tries again
		}
	}
}

// document is what a plugin looks like to the search, its downloads included.
func (x *indexer) document(t tx, name string) (search.Doc, error) {
	doc, err := document(t, name)
	doc.Downloads = x.r.downloads.of(name)
	return doc, err
}
