// prom.mjs: the text format of Prometheus, read as strictly as its own checker does.

const NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/
const LABEL = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(,|$)/y
const NUMBER = /^(?:[+-]?(?:\d+(?:\.\d+)?(?:e[+-]?\d+)?|Inf)|NaN)$/i
const SUFFIXES = { histogram: ['_bucket', '_sum', '_count'], summary: ['', '_sum', '_count'], counter: [''], gauge: [''] }

function labelsOf(text, line) {
	const labels = {}
	LABEL.lastIndex = 0
	while (LABEL.lastIndex < text.length) {
		const found = LABEL.exec(text)
		if (!found || found[1] in labels) throw new Error(`labels: ${line}`)
		labels[found[1]] = found[2].replace(/\\(.)/g, (_, c) => (c === 'n' ? '\n' : c))
		if (found[3] === ',' && LABEL.lastIndex === text.length) throw new Error(`labels end with a comma: ${line}`)
	}
	return labels
}

function checkHistogram(name, samples) {
	const series = new Map()
	for (const s of samples) {
		const { le, ...rest } = s.labels
		const key = JSON.stringify(rest)
		if (!series.has(key)) series.set(key, { buckets: [] })
		const at = series.get(key)
		if (s.name === `${name}_bucket`) at.buckets.push([le === '+Inf' ? Infinity : Number(le), s.value])
		else at[s.name.slice(name.length + 1)] = s.value
	}
	for (const [key, { buckets, sum, count }] of series) {
		if (sum === undefined || count === undefined) throw new Error(`${name}${key}: no _sum or _count`)
		if (buckets.at(-1)?.[0] !== Infinity || buckets.at(-1)[1] !== count) throw new Error(`${name}${key}: +Inf is not _count`)
		for (let i = 1; i < buckets.length; i++)
			if (!(buckets[i][0] > buckets[i - 1][0] && buckets[i][1] >= buckets[i - 1][1])) throw new Error(`${name}${key}: bucket ${buckets[i]}`)
	}
}

// { name: { type, help, samples: [{ name, labels, value }] } }; throws at the first fault.
export function parseMetrics(text) {
	const families = {}
	const seen = new Set()
	let now
	if (!text.endsWith('\n')) throw new Error('no newline at the end')
	for (const line of text.slice(0, -1).split('\n')) {
		const comment = /^# (HELP|TYPE) (\S+) (.+)$/.exec(line)
		if (comment) {
			const [, word, name, rest] = comment
			if (word === 'HELP') {
				if (families[name]) throw new Error(`${name} comes twice`)
				now = families[name] = { name, help: rest, samples: [] }
			} else {
				if (now?.name !== name || now.type || now.samples.length || !SUFFIXES[rest]) throw new Error(`TYPE out of place: ${line}`)
				now.type = rest
			}
			continue
		}
		const found = /^([^\s{]+)(?:\{(.*)\})? (\S+)$/.exec(line)
		if (!found || !NAME.test(found[1]) || !NUMBER.test(found[3])) throw new Error(`no sample: ${line}`)
		const [, name, labels = '', value] = found
		if (!now?.type || !SUFFIXES[now.type].some((s) => now.name + s === name)) throw new Error(`not of the family before it: ${line}`)
		if (now.type === 'counter' && !name.endsWith('_total')) throw new Error(`a counter's name: ${name}`)
		const sample = { name, labels: labelsOf(labels, line), value: /inf/i.test(value) ? Infinity : Number(value) }
		const key = name + JSON.stringify(Object.entries(sample.labels).sort())
		if (seen.has(key)) throw new Error(`twice: ${line}`)
		seen.add(key)
		now.samples.push(sample)
	}
	for (const f of Object.values(families)) if (f.type === 'histogram') checkHistogram(f.name, f.samples)
	return families
}

// The value of the one sample of this name and these labels (others may be there too).
export function sample(families, name, labels = {}) {
	const family = families[name] ?? families[name.replace(/_(bucket|sum|count)$/, '')]
	const found = (family?.samples ?? []).filter((s) => s.name === name && Object.entries(labels).every(([k, v]) => s.labels[k] === v))
	return found.length === 1 ? found[0].value : undefined
}
