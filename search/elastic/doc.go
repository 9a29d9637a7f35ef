// Package elastic is the search engine for several servers: an index in
// Elasticsearch 8, by github.com/elastic/go-elasticsearch/v8. It needs only
// what every distribution has: no plugins, no mapper-extras, no licence.
//
// # Indexes
//
//	<prefix>-<hash>           alias: what is searched
//	<prefix>-<hash>-<when>    the index
//	<prefix>-<hash>-<when>-w  alias: what this index is written by
//
// The hash is of mapping, settings and how documents are prepared: in a
// rolling upgrade the old and the new program each have their own index. The
// old one is not removed, as somebody may go back; delete it by hand. State
// makes the index if it is absent. Mappings are strict, there is one primary
// shard, replicas follow the number of nodes, and changes are seen after half
// a second. Searches of one query go to one copy of the index, so that its
// pages agree.
//
// An API key needs the cluster privilege monitor and on <prefix>-* the index
// privileges manage, read and write.
//
// # Writing
//
// Documents go in bulk requests of at most 1,000 documents or 5 MiB, with
// their position as external version: Elasticsearch refuses what is older, and
// that is success. Items it is too busy for (429, 503) are sent again, up to 8
// times with growing, jittered pauses, and so the writer slows down. The mark
// is a document of the same index, written after all others, with its position
// as version: it can't run ahead, go back, or outlive the index.
//
// All writes insist on an alias, so Elasticsearch never makes an index by
// itself. A Put whose index was deleted, or replaced by another process, fails
// with ErrUnavailable, as its mark could hide what the new index lacks. So:
// after an error of Put read State and go on from there, and read State now
// and then when there is nothing to put, to notice that an index is gone.
//
// Rebuild fills a new index, moves the alias and deletes the old index in one
// step. Two at once are harmless: the one that comes later yields when the
// other has come as far. What a killed one leaves is removed by the next one
// after 6 hours.
//
// # When the cluster is down
//
// The first request that gets no answer, or 502 or 503, opens the circuit, as
// do three in a row that run into a deadline, their caller's or ours: from then
// on all calls fail at once with ErrUnavailable. A search is sent in the
// background, every 0.1 to 2 seconds, until one is answered; no caller waits
// for it. Open succeeds while the cluster is down, but not with a key that the
// cluster refuses. The block that a full disk puts on an index makes Put fail
// with ErrUnavailable, while searches go on. A key that is refused later, as it
// has expired or was revoked, makes every call fail so; the log says why, once
// a minute.
//
// One search can't take the cluster down for all: Elasticsearch gives it up
// after 5 seconds, which alone does not open the circuit, and at most 32 run at
// once; others wait for a second, and then fail with ErrUnavailable.
//
// # How it scores
//
// search.Plan becomes constant scores: the best of each field (dis_max), summed
// up (bool), multiplied and rounded by a script (scoreScript) that is
// search.Score, operation by operation.
//
// Elasticsearch looks for no typos itself, as that takes it longer than all the
// rest (vocabulary.go). The tokens that a misspelled word may mean are chosen
// here, from all those with its first letter: _terms_enum gives them, and they
// are kept for 0.3 seconds.
package elastic
