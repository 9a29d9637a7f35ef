package api

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"appstore/registry"
)

// metrics are the figures at /metrics, in a registry of their own, so that two
// servers in one process don't count together.
type metrics struct {
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	handler  http.Handler
}

func newMetrics(r *registry.Registry) *metrics {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "appstore_http_requests_total", Help: "Requests answered, by route, method and status.",
		}, []string{"route", "method", "status"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "appstore_http_request_seconds", Help: "Time from the request's headers to the end of the answer, in seconds.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10, 60},
		}, []string{"route"}),
	}
	own := prometheus.NewRegistry()
	own.MustRegister(m.requests, m.seconds, &state{registry: r},
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	m.handler = promhttp.HandlerFor(own, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError})
	return m
}

func (m *metrics) observe(method, route string, status int, took time.Duration) {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodOptions:
	default:
		method = "other" // a client must not be able to invent label values
	}
	m.requests.WithLabelValues(route, method, strconv.Itoa(status)).Inc()
	m.seconds.WithLabelValues(route).Observe(took.Seconds())
}

func (m *metrics) serve(c echo.Context) error {
	c.Response().Header().Set("Cache-Control", noStore)
	m.handler.ServeHTTP(c.Response(), c.Request())
	return nil
}

// state reads the registry's own figures when somebody asks.
type state struct{ registry *registry.Registry }

var (
	positionDesc = prometheus.NewDesc("appstore_journal_position", "Position of this replica's catalogue in the journal.", nil, nil)
	indexDesc    = prometheus.NewDesc("appstore_index_position", "Position of the search index in the journal.", nil, nil)
	behindDesc   = prometheus.NewDesc("appstore_journal_behind_seconds", "Time since the journal was last read to its end, in seconds.", nil, nil)
	pluginsDesc  = prometheus.NewDesc("appstore_plugins", "Plugins in the catalogue.", nil, nil)
	releasesDesc = prometheus.NewDesc("appstore_releases", "Releases in the catalogue.", nil, nil)
	readOnlyDesc = prometheus.NewDesc("appstore_read_only", "1 while the journal has entries of a newer program.", nil, nil)
)

func (s *state) Describe(ch chan<- *prometheus.Desc) { prometheus.DescribeByCollect(s, ch) }

func (s *state) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	st, err := s.registry.Status(ctx)
	if err != nil {
		return // what can't be read is left out, the rest is still told
	}
	readOnly := 0.0
	if st.ReadOnly != "" {
		readOnly = 1
	}
	for _, one := range []struct {
		desc  *prometheus.Desc
		value float64
	}{
		{positionDesc, float64(st.Position)},
		{indexDesc, float64(st.IndexPosition)},
		{behindDesc, st.Behind.Seconds()},
		{pluginsDesc, float64(st.Plugins)},
		{releasesDesc, float64(st.Releases)},
		{readOnlyDesc, readOnly},
	} {
		ch <- prometheus.MustNewConstMetric(one.desc, prometheus.GaugeValue, one.value)
	}
}
