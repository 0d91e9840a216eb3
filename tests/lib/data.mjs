// data.mjs: the real data sets that lie beside the checkout, where they do.
import { existsSync, readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import path from 'node:path'
import { root } from './process.mjs'

export const folder = process.env.TAKINGS_SHARED ? path.join(process.env.TAKINGS_SHARED, 'data') : path.resolve(root, '../shared/data')

// For `test(name, { skip: missing('pizza_maven') }, ...)`: why it is skipped, or false.
export function missing(set) {
	return existsSync(path.join(folder, set)) ? false : `SKIPPED: no data in ${path.join(folder, set)} (TAKINGS_SHARED names its parent)`
}

export const golden = (set) => JSON.parse(readFileSync(path.join(folder, set, 'golden.json')))

export function rows(set, file) {
	const raw = readFileSync(path.join(folder, set, file))
	return parseCsv((file.endsWith('.gz') ? gunzipSync(raw) : raw).toString('utf8'))
}

// RFC 4180, as objects named by the first line.
export function parseCsv(text) {
	const cell = /("(?:[^"]|"")*"|[^",\r\n]*)(,|\r?\n|$)/y
	const lines = []
	let line = []
	while (cell.lastIndex < text.length) {
		const [, value, end] = cell.exec(text)
		line.push(value.startsWith('"') ? value.slice(1, -1).replaceAll('""', '"') : value)
		if (end === ',') continue
		lines.push(line)
		line = []
	}
	const names = lines.shift()
	return lines.map((values) => Object.fromEntries(names.map((name, i) => [name, values[i]])))
}

// A value for COPY.
export const field = (v) => (v === null || v === undefined ? '\\N'
	: String(v).replace(/[\\\t\n\r]/g, (c) => ({ '\\': '\\\\', '\t': '\\t', '\n': '\\n', '\r': '\\r' })[c]))
export const copyLines = (list) => list.map((r) => r.map(field).join('\t') + '\n').join('')
