package main

import "syscall"

// dieWithParent makes the kernel end the process when this one is gone, even
// by SIGKILL. SIGTERM lets Elasticsearch's launcher take its server along.
func dieWithParent(attr *syscall.SysProcAttr) { attr.Pdeathsig = syscall.SIGTERM }
