package main

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/crypto/bcrypt"
)

// heap is enough for the tests. With it a server takes 750 MB.
const heap = "512m"

// settings of every server. Without the one about disks, a disk that is nearly
// full makes the indices read-only.
const settings = `cluster.name: appstore-test
discovery.type: single-node
http.host: 127.0.0.1
http.port: %d
transport.host: 127.0.0.1
transport.port: %d
cluster.routing.allocation.disk.threshold_enabled: false
path.data: %s
path.logs: %s
`

func startPlain(home, dir string) (*process, error) {
	p, err := startElasticsearch(home, dir, func(string) (string, error) {
		return "xpack.security.enabled: false\n", nil
	})
	if err != nil {
		return nil, err
	}
	p.url = "http://" + p.url
	return p, nil
}

func startTLS(home, dir string) (*process, error) {
	password := rand.Text()
	p, err := startElasticsearch(home, dir, func(config string) (string, error) {
		hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
		if err != nil {
			return "", err
		}
		ca, certificate, key, err := newCertificates()
		if err != nil {
			return "", err
		}
		for name, text := range map[string][]byte{
			"ca.pem": ca, "http.pem": certificate, "http.key": key,
			"users": []byte("admin:" + string(hash) + "\n"), "users_roles": []byte("superuser:admin\n"),
		} {
			if err := os.WriteFile(filepath.Join(config, name), text, 0o600); err != nil {
				return "", err
			}
		}
		return `xpack.security.enabled: true
xpack.security.http.ssl.enabled: true
xpack.security.http.ssl.certificate: http.pem
xpack.security.http.ssl.key: http.key
`, nil
	})
	if err != nil {
		return nil, err
	}
	// A copy that whoever runs the command can read.
	ca, err := os.ReadFile(filepath.Join(dir, "config", "ca.pem"))
	if err == nil {
		p.ca = filepath.Join(dir, "ca.pem")
		err = os.WriteFile(p.ca, ca, 0o644)
	}
	if err != nil {
		p.stop()
		return nil, err
	}
	p.url, p.user, p.secret = "https://"+p.url, "admin", password
	return p, nil
}

// startElasticsearch does what the start script in Elasticsearch's archives
// does. configure adds files to the configuration folder and returns more
// settings. The process's url has no scheme yet.
func startElasticsearch(home, dir string, configure func(config string) (string, error)) (*process, error) {
	config, data, logs, temp := filepath.Join(dir, "config"), filepath.Join(dir, "data"), filepath.Join(dir, "logs"), filepath.Join(dir, "tmp")
	for _, d := range []string{dir, config, data, logs, temp} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return nil, err
		}
	}
	if err := os.CopyFS(config, os.DirFS(filepath.Join(home, "config"))); err != nil {
		return nil, err
	}
	if err := os.Remove(filepath.Join(config, "elasticsearch.yml")); err != nil {
		return nil, err
	}
	for _, name := range []string{"users", "users_roles"} {
		if err := os.Remove(filepath.Join(config, name)); err != nil && !os.IsNotExist(err) {
			return nil, err
		}
	}
	more, err := configure(config)
	if err != nil {
		return nil, err
	}
	httpPort, err := freePort()
	if err != nil {
		return nil, err
	}
	transportPort, err := freePort()
	if err != nil {
		return nil, err
	}
	text := fmt.Sprintf(settings, httpPort, transportPort, data, logs) + more
	if err := os.WriteFile(filepath.Join(config, "elasticsearch.yml"), []byte(text), 0o644); err != nil {
		return nil, err
	}
	java, err := javaHome(context.Background())
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(filepath.Join(java, "bin", "java"),
		"-Xms4m", "-Xmx64m", "-XX:+UseSerialGC", "-Djava.io.tmpdir="+temp,
		"-Dcli.name=server", "-Dcli.script="+filepath.Join(home, "bin", "elasticsearch"), "-Dcli.libs=lib/tools/server-cli",
		"-Des.path.home="+home, "-Des.path.conf="+config, "-Des.distribution.type=zip",
		"-cp", filepath.Join(home, "lib", "*")+":"+filepath.Join(home, "lib", "cli-launcher", "*"),
		"org.elasticsearch.launcher.CliToolLauncher")
	cmd.Dir = home
	cmd.Env = append(os.Environ(), "ES_JAVA_HOME="+java, "ES_JAVA_OPTS=-Xms"+heap+" -Xmx"+heap, "ES_TMPDIR="+temp, "HOME="+temp)
	if err := notAsRoot(cmd, dir); err != nil {
		return nil, err
	}
	p, err := launch(cmd, dir)
	if err != nil {
		return nil, err
	}
	p.url = fmt.Sprintf("127.0.0.1:%d", httpPort)
	return p, nil
}

// notAsRoot gives cmd and the files in dir to the user nobody, because
// Elasticsearch refuses to run as root.
func notAsRoot(cmd *exec.Cmd, dir string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	nobody, err := user.Lookup("nobody")
	if err != nil {
		return err
	}
	uid, err := strconv.ParseUint(nobody.Uid, 10, 32)
	if err != nil {
		return err
	}
	gid, err := strconv.ParseUint(nobody.Gid, 10, 32)
	if err != nil {
		return err
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
	return filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, int(uid), int(gid))
	})
}

func readyPlain(ctx context.Context, p *process) ([]string, error) {
	err := p.await(ctx, func(ctx context.Context) error {
		return p.ask(ctx, http.DefaultClient, http.MethodGet, "/_cluster/health?wait_for_status=yellow&timeout=3s", "", nil)
	})
	return []string{"APPSTORE_TEST_ELASTICSEARCH_URL=" + p.url}, err
}

// documentedRights asks for a key that has exactly what docs/operations.md says
// that one needs, on the indexes of the tests, so that the suites check it.
const documentedRights = `{"name": "appstore-test", "role_descriptors": {"appstore": {
	"cluster": ["monitor"],
	"indices": [{"names": ["test-*"], "privileges": ["manage", "read", "write"]}]
}}}`

func readyTLS(ctx context.Context, p *process) ([]string, error) {
	pem, err := os.ReadFile(p.ca)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}}
	defer client.CloseIdleConnections()
	var key struct {
		Encoded string `json:"encoded"`
	}
	err = p.await(ctx, func(ctx context.Context) error {
		return p.ask(ctx, client, http.MethodPost, "/_security/api_key", documentedRights, &key)
	})
	return []string{
		"APPSTORE_TEST_ELASTICSEARCH_TLS_URL=" + p.url,
		"APPSTORE_TEST_ELASTICSEARCH_TLS_CA=" + p.ca,
		"APPSTORE_TEST_ELASTICSEARCH_TLS_API_KEY=" + key.Encoded,
	}, err
}

// ask sends one request, which must be answered with 200.
func (p *process) ask(ctx context.Context, client *http.Client, method, path, body string, answer any) error {
	request, err := http.NewRequestWithContext(ctx, method, p.url+path, strings.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	if p.user != "" {
		request.SetBasicAuth(p.user, p.secret)
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s %s: %s: %.300s", method, path, response.Status, text)
	}
	if answer == nil {
		return nil
	}
	return json.Unmarshal(text, answer)
}
