/* charts.js: draws each chart from the table under it. ECharts is fetched when the figures are
 * painted; if it does not come, the tables open instead. No figure exists here only.
 *
 * A column is drawn where its header says data-plot: line, step (a limit, as it was from a day on),
 * bar, base (what it is compared with), ahead (the line, as it is expected to go on), then (what was
 * expected of days that are over), mid (the middle of a grey band), or band80, band95, usual (a band
 * from this column to the next); data-series is its colour, 1 to 6; all columns of figures are in the read-out. A row says data-state (closed, uncomputed), data-partial,
 * data-mark (the name of a special day) and data-flag (why it has a ring), which may also stand in
 * a list data-flags-of the chart; a click on its point follows the link in its first cell. */
(function () {
	'use strict'

	const source = document.currentScript.dataset.echarts
	const charts = []
	const boxes = [...document.querySelectorAll('[data-chart]')]
	const narrow = matchMedia('(max-width: 719px)')
	const wide = matchMedia('(min-width: 900px)') // the style sheet hides the legend there

	// ---- the figures, from the HTML

	const tableOf = (name) => document.querySelector(`details[data-of="${name}"] table`)
	const value = (cell) => (cell?.dataset.value === undefined ? null : Number(cell.dataset.value))

	function read(name) {
		const table = tableOf(name)
		const heads = [...table.tHead.rows[0].cells].map((th, i) => ({ th, i })).filter(({ th }) => th.classList.contains('n'))
		const columns = heads.map(({ th, i }) => ({ i, label: th.textContent.trim(), plot: th.dataset.plot, series: th.dataset.series }))
		const flags = new Map([...document.querySelectorAll(`[data-flags-of="${name}"] [data-date]`)].map((e) => [e.dataset.date, e.dataset.flag]))
		const rows = [...table.tBodies[0].rows].map((row) => ({
			mark: row.dataset.mark, flag: row.dataset.flag ?? flags.get(row.dataset.date),
			label: row.dataset.name ?? row.cells[0].textContent.trim(), short: shortDay(row.dataset.name ?? row.cells[0].textContent.trim()), href: row.querySelector('th a')?.href,
			state: row.dataset.state ?? 'open', shown: 'shown' in row.dataset, weekday: 'weekday' in row.dataset, partial: row.dataset.partial,
			cells: columns.map(({ i, label }) => {
				const cell = row.cells[i]
				return { label: cell?.dataset.ofDay ? `${label}, ${cell.dataset.ofDay}` : label, text: cell?.textContent.trim() ?? '', value: value(cell) }
			}),
		}))
		// Tables begin with the newest day, charts end with it.
		if (table.tBodies[0].rows[0]?.dataset.date) rows.reverse()
		return { rows, columns }
	}

	// "Fri 14 Nov 2025" -> "14 Nov", "3 Nov – 9 Nov" -> "3 Nov", "November 2025" -> "Nov 2025", "Monday" -> "Mon"
	function shortDay(label) {
		if (/^[A-Z][a-z]+day$/.test(label)) return label.slice(0, 3)
		const month = label.match(/^(\w{3})\w* (\d{4})$/)
		return month ? `${month[1]} ${month[2]}` : label.replace(/^[A-Z]\w\w (?=\d)/, '').replace(/ – .*| so far$/, '').replace(/ \d{4}$/, '')
	}

	// ---- looks

	function theme() {
		const style = getComputedStyle(document.documentElement)
		const token = (name) => style.getPropertyValue(`--${name}`).trim()
		return { ink: token('ink'), soft: token('ink-soft'), line: token('line'), edge: token('edge'), paper: token('paper'),
			accent: token('accent'), bar: token('bar'), strong: token('bar-strong'), first: token('series-1'), warn: token('warn'), series: [1, 2, 3, 4, 5, 6].map((n) => token(`series-${n}`)) }
	}

	// 15400 -> 15.4k; exact figures are in the read-out and the table.
	function short(n) {
		const steps = [[1e9, 'bn'], [1e6, 'm'], [1e3, 'k']]
		const [size, name] = steps.find(([s]) => Math.abs(n) >= s) ?? [1, '']
		return `${n < 0 ? '−' : ''}${Number((Math.abs(n) / size).toFixed(1))}${name}`
	}

	const text = (t, color) => ({ color: color ?? t.soft, fontFamily: 'Inter, sans-serif', fontSize: 12 })

	// The lines of an axis: the lowest top above all values with two to five steps of 1, 2, 2.5 or 5.
	function scale(values, whole) {
		const most = values.reduce((a, b) => Math.max(a, b), whole ? 4 : 1), least = values.reduce((a, b) => Math.min(a, b), 0)
		const size = 10 ** Math.floor(Math.log10(most / 3))
		const steps = [1, 2, 2.5, 5, 10].map((s) => s * size).filter((s) => !whole || Number.isInteger(s))
		const tops = steps.map((step) => ({ step, n: Math.ceil(most / step) })).filter(({ n }) => n >= 2 && n <= 5)
		const { step, n } = tops.sort((x, y) => x.step * x.n - y.step * y.n || y.n - x.n)[0]
		return { min: Math.floor(least / step) * step, max: step * n, interval: step }
	}

	// The rows whose labels stand under the chart: the weekday shown, else as many as there is room for.
	function axisLabels({ box, rows, bars }) {
		const marked = rows.flatMap((r, i) => (r.weekday ? [i] : []))
		const list = marked.length ? marked : rows.map((_, i) => i)
		// Names of groups are cut where there is some room for each.
		const most = Math.floor(box.clientWidth / list.length / 7)
		if (bars && tableOf(box.dataset.chart).tBodies[0].rows[0]?.dataset.date === undefined && !marked.length && most >= 12)
			return new Map(list.map((i) => [i, rows[i].short.length > most ? `${rows[i].short.slice(0, most - 1)}…` : rows[i].short]))
		const room = rows.reduce((n, r) => Math.max(n, r.short.length), 0) * 6.5 + (bars ? 16 : 36)
		const every = Math.ceil(list.length * room / box.clientWidth)
		return new Map(list.filter((_, k) => (list.length - 1 - k) % every === 0).map((i) => [i, rows[i].short]))
	}

	function frame(t, chart, axis, unit, suffix) {
		const { bars } = chart, labels = axisLabels(chart)
		return {
			animation: false,
			textStyle: text(t),
			grid: { left: 0, right: chart.ends ? 88 : 4, top: 16, bottom: 4, outerBoundsMode: 'same', outerBoundsContain: 'axisLabel' },
			tooltip: { trigger: 'axis', showContent: false, axisPointer: bars ? { type: 'none' } : { type: 'line', lineStyle: { color: t.edge, type: 'solid' } } },
			xAxis: {
				type: 'category', data: chart.rows.map((r, i) => i), boundaryGap: bars,
				axisLine: { lineStyle: { color: t.edge }, onZero: true }, axisTick: { show: false },
				axisLabel: { ...text(t), interval: (i) => labels.has(i), formatter: (i) => labels.get(Number(i)) ?? '',
					alignMinLabel: bars ? undefined : 'left', alignMaxLabel: bars ? undefined : 'right', margin: 12 },
			},
			yAxis: {
				type: 'value', ...axis, axisLine: { show: false }, axisTick: { show: false },
				splitLine: { lineStyle: { color: t.line } },
				// The unit stands once, at the highest line.
				axisLabel: { ...text(t), margin: 12, formatter: (n) => (n === axis.max ? `${unit}${short(n)}${suffix}` : short(n)) },
			},
		}
	}

	// ---- what is drawn: each gives a list of series

	const valuesOf = (chart, k) => chart.rows.map((r) => (r.state === 'open' ? r.cells[k].value : null))

	function endLabel(t, chart, name, color) {
		return { endLabel: { show: chart.ends && name !== '', formatter: name, width: 80, overflow: 'truncate', distance: 8 + (chart.bars ? chart.box.clientWidth / chart.rows.length / 2 : 0), ...text(t, color) },
			labelLayout: { moveOverlap: 'shiftY' } }
	}

	function base(t, chart, k) {
		return [{ type: 'line', name: 'base', data: chart.rows.map((r) => r.cells[k].value), showSymbol: false, silent: true, z: 4,
			lineStyle: { color: chart.bars ? t.soft : t.edge, width: 1 }, itemStyle: { color: t.edge }, ...endLabel(t, chart, 'before', t.soft) }]
	}

	// A week or month that still runs, or of which the days shown are a part only, is dotted.
	function line(t, chart, k) {
		const values = valuesOf(chart, k), last = values.length - 1, color = t.series[chart.columns[k].series - 1] ?? t.first
		const isPart = (i) => chart.rows[i]?.partial !== undefined
		const isAlone = (i) => (values[i - 1] ?? null) === null && (values[i + 1] ?? null) === null
		const look = { type: 'line', z: 3, symbol: 'circle', symbolSize: 5, showSymbol: true, itemStyle: { color }, emphasis: { scale: 1.6, lineStyle: { width: 2 } } }
		const solid = { ...look, data: values.map((v, i) => ({ value: isPart(i) ? null : v, symbolSize: isAlone(i) ? 5 : 0.01 })),
			lineStyle: { color, width: 2 }, ...(chart.looksAhead ? {} : endLabel(t, chart, isPart(last) ? '' : chart.columns[k].label, color)) }
		if (!isPart(0) && !isPart(last)) return [solid]
		const dots = (near, name) => ({ ...look, data: values.map((v, i) => (near(i) ? v : null)), symbolSize: 0.01,
			lineStyle: { color, width: 2, type: 'dotted' }, ...endLabel(t, chart, name, color) })
		return [solid, ...(isPart(0) ? [dots((i) => i <= 1, '')] : []), ...(isPart(last) ? [dots((i) => i >= last - 1, chart.columns[k].label)] : [])]
	}

	function bar(t, chart, k) {
		const values = valuesOf(chart, k), weekdays = chart.rows.some((r) => r.weekday || r.shown)
		const most = values.reduce((a, v) => Math.max(a, v ?? 0), 0), peak = 'peak' in chart.box.dataset && most > 0 ? values.indexOf(most) : -1
		const color = (r, i) => (r.shown || i === peak ? t.accent : r.weekday ? t.strong : weekdays || peak >= 0 ? t.bar : t.first)
		const part = { borderColor: t.first, borderType: 'dotted', borderWidth: 1.5, color: t.paper }, opacity = chart.compared ? 0.6 : 1
		return [{ type: 'bar', z: 2, barCategoryGap: narrow.matches ? '22%' : '28%', barMaxWidth: 40,
			data: values.map((v, i) => ({ value: v, itemStyle: chart.rows[i].partial === undefined ? { color: color(chart.rows[i], i), opacity } : part,
				label: { show: i === peak, position: 'top', formatter: chart.rows[i].cells[k].text, ...text(t, t.ink) } })),
			emphasis: { itemStyle: { color: 'inherit', opacity: 0.75 } } }]
	}

	// What is expected goes on from the last figure, in its colour but lighter.
	const lastKnown = (chart, k) => chart.rows.findLastIndex((r) => r.cells[k].value !== null && r.state === 'open')
	const thin = { type: 'line', showSymbol: false, silent: true }

	function ahead(t, chart, k) {
		const from = lastKnown(chart, chart.main), values = valuesOf(chart, k)
		if (from >= 0 && values[from] === null) values[from] = chart.rows[from].cells[chart.main].value
		const isAlone = (i) => (values[i - 1] ?? null) === null && (values[i + 1] ?? null) === null
		return [{ type: 'line', z: 3, symbol: 'circle', showSymbol: true, data: values.map((v, i) => ({ value: v, symbolSize: isAlone(i) ? 5 : 0.01 })),
			lineStyle: { color: t.first, width: 2, opacity: 0.55 }, itemStyle: { color: t.first, opacity: 0.55 }, emphasis: { lineStyle: { width: 2 } },
			...endLabel(t, chart, chart.columns[k].label, t.first) }]
	}

	const then = (t, chart, k) => [{ ...thin, z: 4, data: valuesOf(chart, k), lineStyle: { color: t.soft, width: 1 } }]
	const mid = then

	const step = (t, chart, k) => [{ ...thin, z: 2, step: 'start', data: valuesOf(chart, k), lineStyle: { color: t.soft, width: 1 } }]

	// From column k to the one after it: a shape for each stretch of days without a gap.
	function band(color, opacity) {
		return (t, chart, k) => {
			const runs = [], last = lastKnown(chart, chart.main)
			for (const [i, r] of chart.rows.entries()) {
				const [low, high] = [r.cells[k].value, r.cells[k + 1].value]
				if (r.state !== 'open' || low === null || high === null) continue
				if (runs.at(-1)?.at(-1).i !== i - 1) runs.push(i - 1 === last && chart.looksAhead ? [{ i: last, low: chart.rows[last].cells[chart.main].value, high: chart.rows[last].cells[chart.main].value }] : [])
				runs.at(-1).push({ i, low, high })
			}
			const edge = (run, side, api) => (run.length > 1 ? run.map((p) => api.coord([p.i, p[side]]))
				: [-0.3, 0.3].map((d) => { const [x, y] = api.coord([run[0].i, run[0][side]]); return [x + d * api.size([1, 0])[0], y] }))
			return [{ type: 'custom', silent: true, z: 1, clip: true, data: runs.map((run) => [run[0].i, run[0].high]),
				renderItem: (params, api) => {
					const run = runs[params.dataIndex]
					return { type: 'polygon', silent: true, shape: { points: [...edge(run, 'low', api), ...edge(run, 'high', api).reverse()] }, style: { fill: t[color], opacity } }
				} }]
		}
	}

	// Days with a name, and days that were not what they should have been.
	function marks(t, chart) {
		const at = chart.rows.flatMap((r, i) => (r.mark ? [{ xAxis: i, name: r.mark }] : []))
		if (!at.length) return []
		return [{ type: 'line', silent: true, data: [], markLine: { silent: true, symbol: 'none', animation: false, data: at,
			lineStyle: { color: t.edge, type: 'dotted', width: 1 },
			label: { show: !narrow.matches, position: 'insideEndTop', formatter: ({ name }) => name, ...text(t) } } }]
	}

	function rings(t, chart) {
		if (!chart.rows.some((r) => r.flag)) return []
		return [{ type: 'scatter', silent: true, z: 5, symbol: 'circle', symbolSize: 14, itemStyle: { color: 'transparent', borderColor: t.warn, borderWidth: 2 },
			data: chart.rows.map((r) => (r.flag ? r.cells[chart.main].value : null)) }]
	}

	function closed(t, chart) {
		const few = chart.rows.length <= 70, words = few && !narrow.matches
		return [{ type: 'scatter', silent: true, symbol: 'circle', symbolSize: words ? 0.01 : 4, symbolOffset: [0, -5],
			itemStyle: { color: t.paper, borderColor: t.soft, borderWidth: words || !few ? 0 : 1 },
			label: { show: words, formatter: 'closed', rotate: 90, position: 'top', align: 'left', verticalAlign: 'middle', distance: 2, ...text(t) },
			data: chart.rows.map((r) => (r.state === 'closed' && few ? 0 : null)) }]
	}

	const kinds = { base, line, step, bar, ahead, then, mid, band80: band('first', 0.2), band95: band('first', 0.1), usual: band('bar', 0.22) }

	function optionOf(chart) {
		const t = theme()
		const drawn = chart.columns.flatMap((c, k) => (kinds[c.plot] ? [k] : []))
		const values = chart.columns.flatMap((c, k) => (c.plot ? [k] : [])).flatMap((k) => chart.rows.map((r) => r.cells[k].value)).filter((v) => v !== null)
		const main = chart.columns.findIndex((c) => c.plot && c.plot !== 'base')
		chart.main = main
		chart.looksAhead = chart.columns.some((c) => c.plot === 'ahead')
		const sample = chart.rows.find((r) => r.cells[main].value !== null)?.cells[main].text ?? ''
		const unit = sample.match(/^\u2212?([^\d\s\u202f\u2212–]+)\u202f/)?.[1]
		chart.bars = chart.columns.some((c) => c.plot === 'bar')
		chart.compared = chart.columns.some((c, k) => c.plot === 'base' && chart.rows.some((r) => r.cells[k].value !== null))
		chart.ends = (chart.compared || chart.looksAhead || chart.columns.some((c) => c.series)) && wide.matches && chart.box.classList.contains('is-tall')
		const option = frame(t, chart, scale(values, !unit && values.every(Number.isInteger)), unit ? `${unit}\u202f` : '', sample.endsWith('\u202f%') ? '\u202f%' : '')
		option.series = [...drawn.flatMap((k) => kinds[chart.columns[k].plot](t, chart, k)), ...closed(t, chart), ...marks(t, chart), ...rings(t, chart)]
		return option
	}

	// ---- one chart: read-out, clicks

	function pick(chart, event) {
		const [i] = chart.view.convertFromPixel({ xAxisIndex: 0, yAxisIndex: 0 }, [event.offsetX, event.offsetY])
		return i >= 0 && i < chart.rows.length ? Math.round(i) : -1
	}

	const element = (tag, ...children) => {
		const e = document.createElement(tag)
		e.append(...children)
		return e
	}

	// One line a figure, aligned by the decimal point.
	function tipRow(cell) {
		const at = cell.text.lastIndexOf('.')
		return element('tr', element('th', cell.label), element('td', at < 0 ? cell.text : cell.text.slice(0, at)), element('td', at < 0 ? '' : cell.text.slice(at)))
	}

	function tell(chart, i, touched) {
		const row = chart.rows[i], tip = chart.tip
		tip.hidden = !row
		if (!row) return
		const note = { closed: 'closed', uncomputed: 'not computed' }[row.state]
		const rows = row.cells.filter((c, k) => c.text && c.text !== '–' && (!note || chart.columns[k].plot === 'base'))
		const notes = [note ?? row.partial, row.mark, row.flag].filter(Boolean)
		tip.replaceChildren(element('p', row.label), ...notes.map((n) => element('p', n)), element('table', element('tbody', ...rows.map(tipRow))))
		if (touched && row.href && !row.shown) {
			const link = element('a', 'Show')
			link.href = row.href
			tip.append(link)
		}
		const [x] = chart.view.convertToPixel({ xAxisIndex: 0, yAxisIndex: 0 }, [i, 0])
		const room = chart.box.clientWidth - tip.offsetWidth
		tip.style.left = `${Math.max(0, Math.min(room, x < chart.box.clientWidth / 2 ? x + 16 : x - tip.offsetWidth - 16))}px`
	}

	function listen(chart) {
		const zr = chart.view.getZr()
		let touched = false
		chart.box.addEventListener('touchstart', () => { touched = true }, { passive: true })
		zr.on('mousemove', (e) => {
			const i = pick(chart, e), row = chart.rows[i]
			tell(chart, i, touched)
			zr.setCursorStyle(row?.href && !row.shown ? 'pointer' : 'default')
		})
		zr.on('globalout', () => { if (!touched) tell(chart, -1) })
		// A finger first reads; a mouse has read already.
		zr.on('click', (e) => {
			const i = pick(chart, e), row = chart.rows[i]
			if (touched) tell(chart, i, true)
			else if (row?.href && !row.shown) location.assign(row.href)
		})
		document.addEventListener('pointerdown', (e) => { if (!chart.box.contains(e.target)) tell(chart, -1) })
	}

	function draw(chart) {
		const begun = performance.now()
		chart.view.setOption(optionOf(chart), { notMerge: true })
		chart.view.getZr().flush()
		chart.box.dataset.drawn = Math.round(performance.now() - begun)
		tell(chart, -1)
	}

	function start(box) {
		const name = box.dataset.chart
		const chart = { name, box, ...read(name), tip: element('div'), view: echarts.init(box, null, { renderer: 'canvas' }) }
		chart.tip.className = 'tip'
		chart.tip.hidden = true
		box.append(chart.tip)
		charts.push(chart)
		listen(chart)
		draw(chart)
		let width = box.clientWidth
		new ResizeObserver(() => {
			if (box.clientWidth === width || box.clientWidth === 0) return
			width = box.clientWidth
			chart.view.resize()
			draw(chart)
		}).observe(box)
	}

	const redraw = () => charts.forEach(draw)
	document.addEventListener('figureschange', () => charts.forEach((chart) => draw(Object.assign(chart, read(chart.name)))))
	document.addEventListener('themechange', redraw)
	for (const query of [narrow, wide]) query.addEventListener('change', redraw)
	document.addEventListener('savechart', (e) => {
		const chart = charts.find((c) => c.name === e.detail.chart)
		if (chart) e.detail.save(chart.view.getDataURL({ pixelRatio: 2, backgroundColor: theme().paper }))
	})

	// ---- ECharts, after the figures

	function giveUp() {
		boxes.forEach((box) => box.classList.add('is-off'))
		document.querySelectorAll('details.data').forEach((d) => { d.open = true })
	}

	function load() {
		const script = document.createElement('script')
		script.src = source
		script.onload = () => document.fonts.load('12px Inter').finally(() => boxes.forEach(start))
		script.onerror = giveUp
		document.head.append(script)
	}

	if (boxes.length) requestAnimationFrame(() => setTimeout(load))
})()
