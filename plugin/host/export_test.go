package host

// PID is the number of the plugin's process.
func (p *Process) PID() int { return p.child.pid() }
