package registry

import (
	"context"
	"errors"
	"fmt"
	"time"

	"appstore/registry/journal"
	"appstore/storage"
)

// Bounds of one journal entry: what waits beyond them goes into the next.
const (
	maxCommands = 256
	maxBytes    = 4 << 20
	maxEvent    = 8 << 20 // bytes of one command's events
)

// commitTimeout bounds how long an append whose answer was lost is followed up.
const commitTimeout = 30 * time.Second

// pending is a command that waits for its entry.
type pending struct {
	command command
	outcome chan outcome // has room for the one that comes
}

type outcome struct {
	changed  bool
	position uint64 // of the entry that made it so; of the catalogue if it was so already
	err      error
}

// submit waits for the outcome of c. Once c is in an entry the caller's
// context no longer matters; a caller that leaves early learns nothing.
func (r *Registry) submit(ctx context.Context, c command) (outcome, error) {
	if why := r.readOnly.Load(); why != nil {
		return outcome{}, fail(ReadOnly, "upgrade this replica", "this replica is read-only: %s", *why)
	}
	p := &pending{command: c, outcome: make(chan outcome, 1)}
	select {
	case r.queue <- p:
	case <-ctx.Done():
		return outcome{}, unavailable(ctx.Err())
	case <-r.closed:
		return outcome{}, unavailable(context.Canceled)
	}
	select {
	case o := <-p.outcome:
		return o, o.err
	case <-r.ended:
		select {
		case o := <-p.outcome:
			return o, o.err
		default:
			return outcome{}, unavailable(context.Canceled)
		}
	case <-ctx.Done():
		return outcome{}, &Error{Code: OutcomeUnknown, Detail: "the request ended before the change was confirmed", Fix: "send the same request again: if it was made the answer says so", Err: ctx.Err()}
	}
}

// loop is the only goroutine that reads the journal's end, appends to it and
// writes the catalogue.
func (r *Registry) loop(ctx context.Context) {
	tick := time.NewTicker(tailEvery)
	defer tick.Stop()
	defer close(r.ended)
	checked := time.Now()
	for {
		select {
		case <-ctx.Done():
			r.drain(ctx.Err())
			return
		case p := <-r.queue:
			r.commit(ctx, r.waiting(p))
		case answer := <-r.refresh:
			// All who wait now are served by one look; who asks meanwhile, by the
			// next one, after what else there is to do.
			answers := []chan error{answer}
			for more := true; more; {
				select {
				case another := <-r.refresh:
					answers = append(answers, another)
				default:
					more = false
				}
			}
			_, err := r.catchUp(ctx)
			for _, answer := range answers {
				answer <- err
			}
		case <-tick.C:
			if time.Since(checked) > checkEvery {
				checked = time.Now()
				r.checkJournal(ctx)
			}
			if _, err := r.catchUp(ctx); err != nil && ctx.Err() == nil {
				r.log.Warn("the journal can't be read", "error", err, "last read", time.Unix(0, r.seen.Load()).UTC().Format(time.RFC3339))
			}
		}
	}
}

func (r *Registry) drain(err error) {
	for {
		select {
		case p := <-r.queue:
			p.outcome <- outcome{err: unavailable(err)}
		default:
			return
		}
	}
}

func (r *Registry) waiting(first *pending) []*pending {
	batch := []*pending{first}
	for len(batch) < maxCommands {
		select {
		case p := <-r.queue:
			batch = append(batch, p)
		default:
			return batch
		}
	}
	return batch
}

// commit decides the commands against the catalogue, writes their events as
// one entry, and answers. Commands that an entry has no room for, and those
// that lost to another replica, are decided again.
func (r *Registry) commit(ctx context.Context, batch []*pending) {
	fresh := false // whether the catalogue is known to be at the journal's end
	for len(batch) > 0 {
		rest, err := r.commitSome(ctx, batch, fresh)
		switch {
		case errors.Is(err, journal.ErrLost), errors.Is(err, errNotFresh), errors.Is(err, errReplaced):
			if errors.Is(err, errReplaced) && !r.checkJournal(ctx) {
				err = fmt.Errorf("%w: %w", storage.ErrUnavailable, errReplaced)
			} else if _, err = r.catchUp(ctx); err == nil {
				fresh = true
				continue
			}
			rest = batch
			fallthrough
		case err != nil:
			for _, p := range rest {
				p.outcome <- outcome{err: unavailable(err)}
			}
			return
		}
		batch = rest
	}
}

// errNotFresh: a command failed, or changes nothing; both might be for what we
// have not read yet.
var errNotFresh = errors.New("the catalogue may be behind")

// errReplaced: the entry that the next one would follow is not in the journal.
var errReplaced = errors.New("the journal was replaced by another or an older one")

// commitSome returns the commands that are still to be answered.
func (r *Registry) commitSome(ctx context.Context, batch []*pending, fresh bool) (rest []*pending, err error) {
	if why := r.readOnly.Load(); why != nil {
		return batch, fail(ReadOnly, "upgrade this replica", "this replica is read-only: %s", *why)
	}
	btx, err := r.cat.db.Begin(true)
	if err != nil {
		return batch, err
	}
	defer func() { _ = btx.Rollback() }()
	t := tx{btx}
	head := t.head()

	var events []journal.Event
	outcomes := make([]outcome, len(batch))
	decided, size := 0, 0
	for i, p := range batch {
		if size > maxBytes {
			break
		}
		facts, err := p.command.decide(t)
		if (err != nil || len(facts) == 0) && !fresh {
			return batch, errNotFresh
		}
		outcomes[i] = outcome{err: err, position: head.Position}
		encoded, err := encodeAll(facts)
		if err != nil { // this command's alone
			outcomes[i].err = err
			facts = nil
		}
		for k, fact := range facts {
			if err := apply(t, fact, head.Position+1); err != nil {
				return batch, err
			}
			events = append(events, encoded[k])
			size += len(encoded[k].Data)
			outcomes[i] = outcome{changed: true, position: head.Position + 1}
		}
		decided++
	}
	if len(events) > 0 {
		appending, cancel := context.WithTimeout(context.WithoutCancel(ctx), commitTimeout)
		entry, err := r.append(appending, head, events)
		cancel()
		if err != nil {
			return batch, err
		}
		if err := errors.Join(t.setHead(entry.Head()), r.cat.commit(t)); err != nil {
			// It happened all the same; the loop reads it back from the journal.
			r.log.Error("the local catalogue could not be written", "error", err)
		} else {
			r.seen.Store(time.Now().UnixNano())
			if entry.Position%snapshotEvery == 0 {
				r.done.Go(func() { r.saveSnapshot(ctx) })
			}
		}
		r.index.notify(true)
	}
	for i, p := range batch[:decided] {
		p.outcome <- outcomes[i]
	}
	return batch[decided:], nil
}

// append creates the entry after head. It looks first whether head is still in the
// journal: the store may have been put back from a backup since it was read, and an
// entry after a gap would be seen by nobody.
func (r *Registry) append(ctx context.Context, head journal.Head, events []journal.Event) (journal.Entry, error) {
	ok, err := r.journal.Contains(ctx, head)
	if err != nil {
		return journal.Entry{}, err
	}
	if !ok {
		return journal.Entry{}, errReplaced
	}
	return r.journal.Append(ctx, head, time.Now(), events)
}

// encodeAll refuses what one entry could not hold.
func encodeAll(facts []event) ([]journal.Event, error) {
	all := make([]journal.Event, len(facts))
	size := 0
	for i, fact := range facts {
		var err error
		if all[i], err = encode(fact); err != nil {
			return nil, err
		}
		if size += len(all[i].Data); size > maxEvent {
			return nil, fail(TooLarge, "shorten the descriptor, or bring fewer files and dependencies", "what has to be kept of it takes more than %d bytes", maxEvent)
		}
	}
	return all, nil
}

// catchUp reads the journal from the catalogue's position to its end and tells
// how many entries that were. An entry of a newer program makes the replica
// read-only.
func (r *Registry) catchUp(ctx context.Context) (int, error) {
	n := 0
	var t *tx
	begin := func() error {
		btx, err := r.cat.db.Begin(true)
		if err == nil {
			t = &tx{btx}
		}
		return err
	}
	commit := func() error {
		if t == nil {
			return nil
		}
		err := r.cat.commit(*t)
		t = nil
		return err
	}
	looked := time.Now()
	var failure error
	for entry, err := range r.journal.After(ctx, r.cat.head()) {
		var facts []event
		if err == nil {
			facts, err = decodeAll(entry)
		}
		if err == nil && t == nil {
			err = begin()
		}
		if err == nil {
			if err = applyAll(*t, facts, entry.Head()); err != nil { // a half applied entry must not stay
				_ = t.Rollback()
				t = nil
			}
		}
		if err != nil {
			failure = err
			break
		}
		if n++; n%500 == 0 { // bounds the transaction; and what a crash repeats
			if failure = commit(); failure != nil {
				break
			}
			if n%5000 == 0 {
				r.log.Info("reading the journal", "position", entry.Position)
			}
		}
	}
	if err := commit(); err != nil {
		return n, err
	}
	if errors.Is(failure, journal.ErrNewer) {
		if why := failure.Error(); r.readOnly.Swap(&why) == nil {
			r.log.Error("this replica is read-only from now on", "why", why)
		}
	}
	if failure != nil {
		return n, failure
	}
	r.seen.Store(looked.UnixNano())
	if n > 0 && r.index != nil {
		r.index.notify(false)
	}
	return n, nil
}

func decodeAll(entry journal.Entry) ([]event, error) {
	facts := make([]event, len(entry.Events))
	for i, e := range entry.Events {
		var err error
		if facts[i], err = decode(e); err != nil {
			return nil, fmt.Errorf("journal entry %d: %w", entry.Position, err)
		}
	}
	return facts, nil
}

func applyAll(t tx, facts []event, head journal.Head) error {
	for _, fact := range facts {
		if err := apply(t, fact, head.Position); err != nil {
			return fmt.Errorf("journal entry %d: %w", head.Position, err)
		}
	}
	return t.setHead(head)
}

// checkJournal notices that the store was put back from a backup under a
// running replica: the entry we stand on is gone or another one. The catalogue
// is emptied and read again; until that is done, movable things are not answered.
// The index notices by itself (truth 10). It tells whether that is so.
func (r *Registry) checkJournal(ctx context.Context) (replaced bool) {
	head := r.cat.head()
	ok, err := r.journal.Contains(ctx, head)
	if err != nil || ok {
		return false
	}
	// Whoever answers "there is no such thing" must be our store, and not a gateway
	// in front of it.
	if id, err := journal.ReadIdentity(ctx, r.store); err != nil || id != r.storeID {
		r.log.Error("the storage says that the journal's last entry is gone, but does not show that it is our storage; waiting", "position", head.Position, "store", r.storeID, "answers as", id, "error", err)
		return false
	}
	r.log.Error("the journal was replaced by another or an older one; reading it anew", "position", head.Position)
	var history uint64
	if err := r.cat.update(func(t tx) error {
		history = t.history() + 1
		for _, name := range buckets {
			if string(name) == string(bucketMeta) {
				continue
			}
			if err := t.DeleteBucket(name); err != nil {
				return err
			}
			if _, err := t.CreateBucket(name); err != nil {
				return err
			}
		}
		r.seen.Store(never) // before anybody can see the empty catalogue
		return errors.Join(t.setHistory(history), t.setHead(journal.Head{}))
	}); err != nil {
		r.log.Error("the local catalogue could not be emptied", "error", err)
		return false
	}
	r.index.forget(history)
	return true
}
