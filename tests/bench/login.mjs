// login.mjs: whether the time of a refused login tells which names exist.
//
//   node tests/bench/login.mjs [N]
//
// N (1000) wrong passwords each for a user there is and one there is not, in turns, each from an
// address of its own, so that nobody waits. Prints both medians; exit code 1 if they differ by more
// than 5 %.
import { accessDatabase, addUser, startWeb, tokenOf } from '../lib/access.mjs'

const n = Number(process.argv[2] ?? 1000)
const { settings, web: webSettings } = await accessDatabase('bench-login')
await addUser(settings, 'known', 'viewer')
const web = await startWeb(webSettings)
const times = { known: [], unknown: [] }

for (let i = -20; i < n; i++) // the first ones warm up
	for (const [at, name] of (i % 2 ? ['known', 'unknown'] : ['unknown', 'known']).entries()) {
		const begun = process.hrtime.bigint()
		const reply = await tokenOf(web, name, 'a wrong password', `10.${at}.${(i + 20) >> 8}.${(i + 20) & 255}`)
		const us = Number(process.hrtime.bigint() - begun) / 1000
		if (reply.status !== 401) throw new Error(`${name}: ${reply.status} ${reply.text}`)
		if (i >= 0) times[name].push(us)
	}
await web.stop()

const median = (list) => list.sort((a, b) => a - b)[list.length >> 1] / 1000
const [known, unknown] = [median(times.known), median(times.unknown)]
const apart = Math.abs(known - unknown) / Math.min(known, unknown) * 100
console.log(`${n} each: known ${known.toFixed(2)} ms, unknown ${unknown.toFixed(2)} ms, ${apart.toFixed(2)} % apart`)
process.exit(apart > 5 ? 1 : 0)
