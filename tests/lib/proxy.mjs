// proxy.mjs: a TCP port before a server, for what networks and servers do at bad moments.
import { readFileSync } from 'node:fs'
import net from 'node:net'

export class Proxy {
	links = new Set()
	opened = 0 // connections so far
	frozen = false // nothing passes in either direction
	cutAt = null // text from the client at which its connection is cut instead, once
	cutBehind = null // the same, but the server gets the text; its answer is lost
	freezeAt = null // text from the client before which all freezes

	// `target`: what net.connect takes, such as { path } or { port }.
	static async before(target, host = '127.0.0.1') {
		const proxy = new Proxy()
		proxy.server = net.createServer((client) => proxy.link(client, target))
		await new Promise((done) => proxy.server.listen(0, host, done))
		proxy.port = proxy.server.address().port
		return proxy
	}

	link(client, target) {
		const server = net.connect(target)
		const link = { client, server, held: [] }
		this.opened++
		this.links.add(link)
		for (const [from, to] of [[client, server], [server, client]]) {
			from.on('data', (bytes) => this.pass(link, from, to, bytes))
			from.on('error', () => {})
			from.on('close', () => { to.destroy(); this.links.delete(link) })
		}
	}

	pass(link, from, to, bytes) {
		const said = from === link.client ? bytes.toString('latin1') : ''
		if (this.cutAt && said.includes(this.cutAt)) {
			this.cutAt = null
			link.client.destroy()
			return
		}
		if (this.cutBehind && said.includes(this.cutBehind)) {
			this.cutBehind = null
			to.write(bytes, () => { link.client.destroy(); to.end() })
			return
		}
		if (this.freezeAt && said.includes(this.freezeAt)) {
			this.freezeAt = null
			this.frozen = true
		}
		if (this.frozen) link.held.push([to, bytes])
		else to.write(bytes)
	}

	thaw() {
		this.frozen = false
		for (const link of this.links)
			for (const [to, bytes] of link.held.splice(0)) to.write(bytes)
	}

	// Of each connection to the proxy the seconds until the kernel asks whether we are still there;
	// null where it never will. The clients', not the proxy's own ends.
	keepalives() {
		const port = this.port.toString(16).toUpperCase().padStart(4, '0')
		return readFileSync('/proc/net/tcp', 'utf8').split('\n').map((line) => line.trim().split(/\s+/))
			.filter(([, , remote, state]) => remote?.endsWith(`:${port}`) && state === '01')
			.map(([, , , , , timer]) => (timer.startsWith('02:') ? parseInt(timer.slice(3), 16) / 100 : null))
	}

	close() {
		for (const { client, server } of this.links) { client.destroy(); server.destroy() }
		return new Promise((done) => this.server.close(done))
	}
}
