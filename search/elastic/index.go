package elastic

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"regexp"
	"sync"
	"time"

	"appstore/search"

	"github.com/elastic/go-elasticsearch/v8"
)

var _ search.Index = (*Index)(nil)

// Options say where the cluster is. The zero value of all but URLs is fine.
type Options struct {
	URLs     []string // of nodes, such as https://es.example.org:9200
	APIKey   string   // as Elasticsearch encodes it; see doc.go for what it needs
	Username string   // instead of an API key
	Password string
	CA       []byte       // PEM of authorities trusted beside the system's
	Prefix   string       // of the names of indexes; "" means appstore
	Logger   *slog.Logger // told when the cluster goes down, refuses us, and comes back; nil means nobody
}

// Index is a search index in Elasticsearch 8. Any number of processes may use
// one index.
type Index struct {
	client     *elasticsearch.BaseClient
	log        *slog.Logger
	alias      string // what is searched
	circuit    *circuit
	writing    chan struct{} // holds a token while this process writes
	searching  chan struct{} // holds a token for each search that runs
	vocabulary vocabulary
	complaints complaints

	mu    sync.Mutex
	bound string // the index that the last State saw and Put writes to; "" is unknown
	knew  bool   // an index was bound before
}

var prefixForm = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,99}$`)

// firstAnswer is how long Open waits for the cluster to answer; to make the
// index may then take a healthy one as long as any writing (writeTimeout).
const firstAnswer = 3 * time.Second

// Bounds of searches: so many run at once, and so long others wait for one of
// them to end. They keep a cluster that has become slow from being asked ever
// more, and callers from waiting for it.
const (
	maxSearches = 32
	maxWait     = time.Second
)

// errCrowded is what Search says when too many run.
var errCrowded = fmt.Errorf("%w: %d searches run already", search.ErrUnavailable, maxSearches)

// Open connects to a cluster. When that is down Open succeeds all the same,
// and the index works as soon as the cluster does. Wrong options, and a key
// that the cluster refuses, are errors.
func Open(ctx context.Context, o Options) (*Index, error) {
	if len(o.URLs) == 0 {
		return nil, errors.New("elasticsearch: no URL given")
	}
	if o.Prefix == "" {
		o.Prefix = "appstore"
	}
	if !prefixForm.MatchString(o.Prefix) {
		return nil, fmt.Errorf("elasticsearch: index prefix %q must be lower-case letters, digits and .-_, and begin with a letter or digit", o.Prefix)
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	transport := &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: time.Second, KeepAlive: 15 * time.Second}).DialContext,
		TLSHandshakeTimeout:   2 * time.Second,
		MaxIdleConnsPerHost:   64,
		IdleConnTimeout:       time.Minute,
		ResponseHeaderTimeout: writeTimeout,
		ForceAttemptHTTP2:     true,
		DisableCompression:    true, // it costs both sides more than the network of a cluster does
	}
	if len(o.CA) > 0 {
		pool, err := authorities(o.CA)
		if err != nil {
			return nil, err
		}
		transport.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	}
	client, err := elasticsearch.NewBaseClient(elasticsearch.Config{
		Addresses:         o.URLs,
		APIKey:            o.APIKey,
		Username:          o.Username,
		Password:          o.Password,
		Transport:         transport,
		DisableMetaHeader: true,
		MaxRetries:        2,
		RetryOnStatus:     []int{http.StatusBadGateway, http.StatusServiceUnavailable}, // a 504 has taken long enough
		RetryBackoff:      func(attempt int) time.Duration { return jitter(time.Duration(attempt) * 20 * time.Millisecond) },
	})
	if err != nil {
		return nil, fmt.Errorf("elasticsearch: %w", err)
	}
	x := &Index{
		client:    client,
		log:       o.Logger,
		alias:     o.Prefix + "-" + mappingHash(),
		writing:   make(chan struct{}, 1),
		searching: make(chan struct{}, maxSearches),
	}
	x.circuit = newCircuit(x.probe, x.report)
	x.vocabulary.read = x.readVocabulary
	if err := x.meet(ctx); err != nil {
		var answer *apiError
		if errors.As(err, &answer) && !answer.down() && !answer.busy() {
			x.Close()
			return nil, fmt.Errorf("elasticsearch: %w", answer)
		}
		x.circuit.open(err)
	}
	return x, nil
}

// authorities are the system's and those of a PEM file.
func authorities(ca []byte) (*x509.CertPool, error) {
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool() // a system without any
	}
	if !pool.AppendCertsFromPEM(ca) {
		return nil, errors.New("elasticsearch: the CA file holds no PEM certificate")
	}
	return pool, nil
}

// meet asks the cluster for the first time, and makes the index.
func (x *Index) meet(ctx context.Context) error {
	first, cancel := context.WithTimeout(ctx, firstAnswer)
	defer cancel()
	if _, err := x.aliased(first); err != nil {
		return err
	}
	then, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	name, err := x.current(then)
	if err != nil {
		return err
	}
	// Another process may have made it a moment ago.
	if err := x.awaitShard(then, name); err != nil {
		return err
	}
	_, err = x.State(then)
	return err
}

// Close ends the probe. Requests that run are not waited for.
func (x *Index) Close() error {
	x.circuit.close()
	return nil
}

// probe asks the cluster for a search, which is what it must be able to do.
// An index that is not there is made by the next State or Put.
func (x *Index) probe(ctx context.Context) error {
	err := x.send(ctx, readTimeout, http.MethodPost, path(x.alias, "_search"), object{"size": 0}, nil)
	if missing(err) {
		return nil
	}
	return err
}

func (x *Index) report(open bool, cause error) {
	if open {
		x.log.Warn("elasticsearch is down; search answers 503 until it is back", "error", cause)
	} else {
		x.log.Info("elasticsearch is back")
	}
}

func (x *Index) lock(ctx context.Context) error {
	select {
	case x.writing <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (x *Index) unlock() { <-x.writing }

// Search implements search.Index.
func (x *Index) Search(ctx context.Context, q search.Query) (*search.Result, error) {
	p, err := search.Compile(q)
	if err != nil {
		return nil, err
	}
	if err := x.enter(ctx); err != nil {
		return nil, err
	}
	defer x.leave()
	r, err := x.search(ctx, p)
	if missing(err) {
		x.bind("")
		return nil, unavailable(fmt.Errorf("the index is gone and must be filled again: %w", err))
	}
	return r, err
}

// enter waits for one of the places of searches.
func (x *Index) enter(ctx context.Context) error {
	select {
	case x.searching <- struct{}{}:
		return nil
	default:
	}
	if err := x.circuit.allow(); err != nil {
		return err
	}
	crowded := time.NewTimer(maxWait)
	defer crowded.Stop()
	select {
	case x.searching <- struct{}{}:
		return nil
	case <-crowded.C:
		return errCrowded
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (x *Index) leave() { <-x.searching }

func (x *Index) search(ctx context.Context, p *search.Plan) (*search.Result, error) {
	meant, err := x.meant(ctx, p)
	if err != nil {
		return nil, err
	}
	var answer struct {
		Hits struct {
			Total struct {
				Value int `json:"value"`
			} `json:"total"`
			Hits []struct {
				Sort   []any `json:"sort"`
				Source struct {
					Doc search.Doc `json:"doc"`
				} `json:"_source"`
			} `json:"hits"`
		} `json:"hits"`
		Aggregations map[string]struct {
			Buckets []struct {
				Key   string `json:"key"`
				Count int    `json:"doc_count"`
			} `json:"buckets"`
		} `json:"aggregations"`
	}
	// The pages of one query come from one copy of the index: copies refresh
	// at different times.
	where := path(x.alias, "_search") + "?allow_partial_search_results=false&preference=" + p.Hash
	if err := x.call(ctx, readTimeout, http.MethodPost, where, searchBody(p, meant), &answer); err != nil {
		var refusal *apiError
		if errors.As(err, &refusal) && refusal.Status == http.StatusBadRequest {
			x.complain("elasticsearch refuses a search, which is a mistake of this program", err)
		}
		return nil, err
	}
	found := make([]search.Found, len(answer.Hits.Hits))
	for i, h := range answer.Hits.Hits {
		found[i].Doc = h.Source.Doc
		at := scoreAt(p, len(h.Sort))
		if at < 0 {
			return nil, fmt.Errorf("elasticsearch: hit %s is not sorted", h.Source.Doc.Name)
		}
		score, ok := h.Sort[at].(float64)
		if !ok {
			return nil, fmt.Errorf("elasticsearch: hit %s has the score %v", h.Source.Doc.Name, h.Sort[at])
		}
		found[i].Score = score
	}
	facets := make(map[string][]search.Count, len(search.Facets))
	for _, field := range search.Facets {
		counts := []search.Count{}
		for _, b := range answer.Aggregations[field].Buckets {
			counts = append(counts, search.Count{Value: b.Key, Count: b.Count})
		}
		facets[field] = counts
	}
	return p.Result(found, answer.Hits.Total.Value, facets), nil
}

// State implements search.Index. It makes the index if it is not there, and
// from then on Put writes to the index whose state this is.
func (x *Index) State(ctx context.Context) (search.State, error) {
	var s search.State
	name, err := x.current(ctx)
	if err != nil {
		return s, err
	}
	if s.Mark, err = x.readMark(ctx, name); err != nil {
		return s, err
	}
	var answer struct {
		Count int `json:"count"`
	}
	query := object{"query": object{"exists": object{"field": fieldName}}}
	if err := x.call(ctx, readTimeout, http.MethodPost, path(name, "_count"), query, &answer); err != nil {
		return search.State{}, gone(err)
	}
	s.Docs = answer.Count
	x.bind(name)
	return s, nil
}

func (x *Index) readMark(ctx context.Context, name string) (search.Mark, error) {
	var answer struct {
		Source struct {
			Mark search.Mark `json:"mark"`
		} `json:"_source"`
	}
	err := x.call(ctx, readTimeout, http.MethodGet, path(name, "_doc", markID), nil, &answer)
	var e *apiError
	if errors.As(err, &e) && e.Status == http.StatusNotFound && e.Type != indexNotFound {
		err = nil // the document is not there: a new index
	}
	return answer.Source.Mark, gone(err)
}

// gone makes an index that vanished under a call something to try again.
func gone(err error) error {
	if missing(err) {
		return unavailable(err)
	}
	return err
}

func (x *Index) bind(name string) {
	x.mu.Lock()
	x.bound, x.knew = name, x.knew || name != ""
	x.mu.Unlock()
}

// boundTo is the index to write to. That is the current one for a process that
// has never seen another; one whose index was replaced must read State.
func (x *Index) boundTo(ctx context.Context) (string, error) {
	x.mu.Lock()
	name, knew := x.bound, x.knew
	x.mu.Unlock()
	if name != "" {
		return name, nil
	}
	if knew {
		return "", cmp.Or(x.circuit.allow(), errReplaced)
	}
	name, err := x.current(ctx)
	if err == nil {
		x.bind(name)
	}
	return name, err
}
