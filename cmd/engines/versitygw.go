package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

const versitygwVersion = "v1.8.0"

// installVersitygw builds the gateway. Go checks the sources against its
// checksum database.
func installVersitygw(ctx context.Context, c *cache) (string, error) {
	return c.install(ctx, "versitygw-"+versitygwVersion, func(dir string) error {
		c.log.print("s3: fetching and building versitygw %s, once (2 minutes)", versitygwVersion)
		cmd := exec.CommandContext(ctx, "go", "install", "github.com/versity/versitygw/cmd/versitygw@"+versitygwVersion)
		cmd.Env = append(os.Environ(), "GOBIN="+dir, "GOFLAGS=", "CGO_ENABLED=0")
		cmd.WaitDelay = time.Second // the compilers hold on to the output
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("go install versitygw@%s (is there a network?): %w\n%s", versitygwVersion, err, lastLines(out))
		}
		return nil
	})
}

func startVersitygw(home, dir string) (*process, error) {
	data := filepath.Join(dir, "data")
	if err := os.MkdirAll(data, 0o700); err != nil {
		return nil, err
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	address := fmt.Sprintf("127.0.0.1:%d", port)
	user, secret := rand.Text(), rand.Text()
	cmd := exec.Command(filepath.Join(home, "versitygw"), "--port", address, "posix", data)
	cmd.Env = append(os.Environ(), "ROOT_ACCESS_KEY="+user, "ROOT_SECRET_KEY="+secret)
	cmd.Dir = dir
	p, err := launch(cmd, dir)
	if err != nil {
		return nil, err
	}
	p.url, p.user, p.secret = "http://"+address, user, secret
	return p, nil
}

func readyVersitygw(ctx context.Context, p *process) ([]string, error) {
	err := p.await(ctx, func(ctx context.Context) error {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url, nil)
		if err != nil {
			return err
		}
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			return err
		}
		return answer.Body.Close() // 403 is an answer
	})
	return []string{
		"APPSTORE_TEST_S3_ENDPOINT=" + p.url,
		"APPSTORE_TEST_S3_ACCESS_KEY=" + p.user,
		"APPSTORE_TEST_S3_SECRET_KEY=" + p.secret,
	}, err
}
