package registry

import "context"

// Plugins lists the plugins by their normalised names, those without a live
// release too (their Live is 0). after is the next of the page before, "" for
// the first; limit is 1 to MaxPage. next is "" at the end.
func (r *Registry) Plugins(ctx context.Context, after string, limit int) (page []Plugin, next string, err error) {
	if limit < 1 || limit > MaxPage {
		return nil, "", fail(InvalidRequest, "", "the limit is %d; 1 to %d are allowed", limit, MaxPage)
	}
	err = r.listed(func(t tx) error {
		c := t.Bucket(bucketPlugins).Cursor()
		// The names that follow are those that begin with it and go on.
		k, _ := c.Seek([]byte(after + "\x00"))
		for ; k != nil && len(page) < limit; k, _ = c.Next() {
			p, _ := t.plugin(string(k))
			page = append(page, *p)
		}
		if k != nil {
			next = page[len(page)-1].Name
		}
		return ctx.Err()
	})
	return page, next, err
}
