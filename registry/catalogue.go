package registry

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"appstore/registry/artifact"
	"appstore/registry/journal"
	"appstore/schema"

	"go.etcd.io/bbolt"
	bbolterrors "go.etcd.io/bbolt/errors"
)

// catalogue is the state that the journal's events add up to, in a local bbolt
// file that can be deleted at any time.
//
//	meta       "head" -> journal.Head, "store" -> store id, "format" -> catalogueFormat, "history" -> how often it was emptied under way
//	plugins    name -> Plugin
//	releases   name 0 version key -> Release
//	order      name 0 version key -> state 0 version, small, for scans
//	skeletons  skeleton of a name -> name
//	packages   ecosystem 0 package -> name of the plugin that owns it
//	files      ecosystem 0 package 0 version key 0 file name -> storedFile
//	keys       storage key -> nothing: what the sweep must keep
//	changed    position, name -> nothing: one entry per plugin, at the position that changed it last
type catalogue struct {
	db   *bbolt.DB
	path string
	mark atomic.Pointer[Mark] // of what was committed last, or a moment behind it
}

// catalogueFormat changes whenever the buckets or their values do; a file, or
// a snapshot, of another format is thrown away and made again from the journal.
const catalogueFormat = 2

var (
	bucketMeta      = []byte("meta")
	bucketPlugins   = []byte("plugins")
	bucketReleases  = []byte("releases")
	bucketOrder     = []byte("order")
	bucketSkeletons = []byte("skeletons")
	bucketPackages  = []byte("packages")
	bucketFiles     = []byte("files")
	bucketKeys      = []byte("keys")
	bucketChanged   = []byte("changed")

	buckets = [][]byte{bucketMeta, bucketPlugins, bucketReleases, bucketOrder, bucketSkeletons, bucketPackages, bucketFiles, bucketKeys, bucketChanged}
)

// storedFile is a package's file, and the plugin that owns the package.
type storedFile struct {
	Plugin string `json:"plugin"`
	File   File   `json:"file"`
}

var errForeignCatalogue = errors.New("the local catalogue is of another store or format")

// openCatalogue opens or makes the file. It returns errForeignCatalogue when
// what is there can't be used.
func openCatalogue(path, store string) (c *catalogue, err error) {
	defer func() { // bbolt panics on some damage
		if p := recover(); p != nil {
			c, err = nil, fmt.Errorf("%w: %v", errForeignCatalogue, p)
		}
	}()
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: time.Second, FreelistType: bbolt.FreelistMapType, NoFreelistSync: true, InitialMmapSize: 64 << 20})
	if errors.Is(err, bbolterrors.ErrTimeout) {
		return nil, fmt.Errorf("%s is in use by another process: give each replica a data folder of its own", path)
	}
	if errors.Is(err, os.ErrPermission) {
		return nil, err
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %v", errForeignCatalogue, err)
	}
	c = &catalogue{db: db, path: path}
	err = db.Update(func(btx *bbolt.Tx) error {
		for _, name := range buckets {
			if _, err := btx.CreateBucketIfNotExists(name); err != nil {
				return err
			}
		}
		meta := btx.Bucket(bucketMeta)
		if was := meta.Get([]byte("store")); was != nil {
			if string(was) != store || string(meta.Get([]byte("format"))) != fmt.Sprint(catalogueFormat) {
				return errForeignCatalogue
			}
			return nil
		}
		if err := meta.Put([]byte("format"), fmt.Append(nil, catalogueFormat)); err != nil {
			return err
		}
		return meta.Put([]byte("store"), []byte(store))
	})
	if err == nil {
		err = c.view(func(t tx) error { c.mark.Store(t.mark()); return nil })
	}
	if err != nil {
		db.Close()
		return nil, err
	}
	return c, nil
}

// restoreCatalogue writes what r gives to path, replacing what is there.
func restoreCatalogue(path string, r io.Reader) error {
	f, err := os.CreateTemp(filepath.Dir(path), "catalogue-*.tmp")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = io.Copy(f, r)
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

func (c *catalogue) view(f func(tx) error) error {
	return c.db.View(func(b *bbolt.Tx) error { return f(tx{b}) })
}

func (c *catalogue) update(f func(tx) error) error {
	b, err := c.db.Begin(true)
	if err != nil {
		return err
	}
	defer func() { _ = b.Rollback() }() // does nothing after a commit
	if err := f(tx{b}); err != nil {
		return err
	}
	return c.commit(tx{b})
}

// commit ends a transaction that writes.
func (c *catalogue) commit(t tx) error {
	m := t.mark()
	err := t.Commit()
	if err == nil {
		c.mark.Store(m)
	}
	return err
}

func (c *catalogue) head() (h journal.Head) {
	_ = c.view(func(t tx) error { h = t.head(); return nil })
	return h
}

// tx is one transaction over the catalogue.
type tx struct{ *bbolt.Tx }

func (t tx) head() (h journal.Head) {
	if data := t.Bucket(bucketMeta).Get([]byte("head")); data != nil {
		must(json.Unmarshal(data, &h))
	}
	return h
}

func (t tx) mark() *Mark { return &Mark{t.history(), t.head().Position} }

func (t tx) setHead(h journal.Head) error { return put(t.Bucket(bucketMeta), []byte("head"), h) }

// history counts how often the catalogue was emptied since its file was made.
func (t tx) history() uint64 {
	if data := t.Bucket(bucketMeta).Get([]byte("history")); data != nil {
		return binary.BigEndian.Uint64(data)
	}
	return 0
}

func (t tx) setHistory(n uint64) error {
	return t.Bucket(bucketMeta).Put([]byte("history"), binary.BigEndian.AppendUint64(nil, n))
}

func (t tx) plugin(name string) (*Plugin, bool) {
	p, ok := get[Plugin](t.Bucket(bucketPlugins), []byte(name))
	if ok {
		p.history = t.history()
	}
	return p, ok
}

// setPlugin stores p as changed at its Position.
func (t tx) setPlugin(p *Plugin) error {
	changed := t.Bucket(bucketChanged)
	if old, ok := t.plugin(p.Name); ok {
		if err := changed.Delete(changedKey(old.Position, p.Name)); err != nil {
			return err
		}
	}
	if err := changed.Put(changedKey(p.Position, p.Name), nil); err != nil {
		return err
	}
	return put(t.Bucket(bucketPlugins), []byte(p.Name), p)
}

func changedKey(position uint64, name string) []byte {
	return append(binary.BigEndian.AppendUint64(nil, position), name...)
}

// changedSince gives the names of the plugins that changed after position,
// those that changed first before the others, until yield returns false.
func (t tx) changedSince(position uint64, yield func(position uint64, name string) bool) {
	c := t.Bucket(bucketChanged).Cursor()
	for k, _ := c.Seek(changedKey(position+1, "")); k != nil; k, _ = c.Next() {
		if !yield(binary.BigEndian.Uint64(k), string(k[8:])) {
			return
		}
	}
}

func releaseKey(plugin string, v schema.Version) []byte {
	return append(append([]byte(plugin), 0), v.Key()...)
}

func (t tx) release(plugin string, v schema.Version) (*Release, bool) {
	return get[Release](t.Bucket(bucketReleases), releaseKey(plugin, v))
}

func (t tx) setRelease(r *Release) error {
	v, err := schema.ParseVersion(r.Descriptor.Version)
	if err != nil {
		return err
	}
	key := releaseKey(r.Plugin, v)
	if err := t.Bucket(bucketOrder).Put(key, []byte(string(r.State)+"\x00"+r.Descriptor.Version)); err != nil {
		return err
	}
	return put(t.Bucket(bucketReleases), key, r)
}

// line is one release in the order of a plugin's versions.
type line struct {
	version schema.Version
	state   State
	key     []byte // of the releases bucket; valid within the transaction
}

// versions gives a plugin's releases, the highest version first, beginning
// below the version given if there is one, until yield returns false.
func (t tx) versions(plugin string, below *schema.Version, yield func(line) bool) error {
	prefix := append([]byte(plugin), 0)
	end := append([]byte(plugin), 1)
	if below != nil {
		end = releaseKey(plugin, *below)
	}
	c := t.Bucket(bucketOrder).Cursor()
	before := c.Prev
	if k, _ := c.Seek(end); k == nil {
		before = c.Last
	}
	for k, v := before(); k != nil && len(k) > len(prefix) && string(k[:len(prefix)]) == string(prefix); k, v = c.Prev() {
		l, err := parseLine(k, v)
		if err != nil {
			return err
		}
		if !yield(l) {
			return nil
		}
	}
	return nil
}

func parseLine(k, v []byte) (line, error) {
	for i, b := range v {
		if b == 0 {
			version, err := schema.ParseVersion(string(v[i+1:]))
			return line{version: version, state: State(v[:i]), key: k}, err
		}
	}
	return line{}, fmt.Errorf("catalogue: unreadable order entry %q", v)
}

func (t tx) releaseAt(key []byte) (*Release, bool) {
	return get[Release](t.Bucket(bucketReleases), key)
}

func packageKey(p schema.Package) []byte {
	return []byte(p.Ecosystem + "\x00" + schema.NormalisePackage(p.Ecosystem, p.Name))
}

// packageOwner is the plugin that first published the package; "" if none did.
func (t tx) packageOwner(p schema.Package) string {
	return string(t.Bucket(bucketPackages).Get(packageKey(p)))
}

func packageVersionKey(p schema.Package) []byte {
	return append(packageKey(p), "\x00"+artifact.VersionKey(p.Ecosystem, p.Version)+"\x00"...)
}

// packageFiles gives the stored files of one version of a package, in the
// order of their names.
func (t tx) packageFiles(p schema.Package) []storedFile {
	var files []storedFile
	prefix := packageVersionKey(p)
	c := t.Bucket(bucketFiles).Cursor()
	for k, v := c.Seek(prefix); k != nil && len(k) > len(prefix) && string(k[:len(prefix)]) == string(prefix); k, v = c.Next() {
		var f storedFile
		must(json.Unmarshal(v, &f))
		files = append(files, f)
	}
	return files
}

func (t tx) addFile(plugin string, f *File) error {
	if err := t.keep(f.Key); err != nil {
		return err
	}
	if f.Metadata != nil {
		if err := t.keep(f.Metadata.Key); err != nil {
			return err
		}
	}
	if err := t.Bucket(bucketPackages).Put(packageKey(f.Package), []byte(plugin)); err != nil {
		return err
	}
	return put(t.Bucket(bucketFiles), append(packageVersionKey(f.Package), f.Name...), storedFile{Plugin: plugin, File: *f})
}

func (t tx) keep(key string) error { return t.Bucket(bucketKeys).Put([]byte(key), nil) }

func (t tx) kept(key string) bool {
	k, _ := t.Bucket(bucketKeys).Cursor().Seek([]byte(key))
	return string(k) == key
}

func get[T any](b *bbolt.Bucket, key []byte) (*T, bool) {
	data := b.Get(key)
	if data == nil {
		return nil, false
	}
	v := new(T)
	must(json.Unmarshal(data, v))
	return v, true
}

func put(b *bbolt.Bucket, key []byte, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return b.Put(key, data)
}

// must panics on what only a program error or a damaged local file can cause;
// the file can be deleted.
func must(err error) {
	if err != nil {
		panic(fmt.Errorf("the local catalogue is damaged, delete it and start again: %w", err))
	}
}
