// reload.mjs: the .env of a running takings-web, changed and read again.
import { existsSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { until } from './process.mjs'

export class SettingsFile {
	constructor(web) { this.web = web; this.file = path.join(web.dir, '.env') }

	// Writes the settings, sends SIGHUP and waits for the program's word; `refused`: that it keeps the old ones.
	async set(settings, { refused = false } = {}) {
		const word = refused ? '"reload_refused"' : '"reloaded"'
		const count = () => this.web.log.split(word).length
		const before = count()
		writeFileSync(this.file, Object.entries(settings).map(([name, value]) => `${name}=${value}\n`).join(''))
		this.web.program.kill('SIGHUP')
		await until(() => count() > before, { what: word })
	}
}
