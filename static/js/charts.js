/* charts.js: draws each chart from the table under it. ECharts is fetched when the figures are
 * painted; if it does not come, the tables open instead. No figure exists here only. */
(function () {
	'use strict'

	const source = document.currentScript.dataset.echarts
	const charts = []
	const boxes = [...document.querySelectorAll('[data-chart]')]
	const LABEL_PX = 72
	const narrow = matchMedia('(max-width: 719px)')

	// ---- the figures, from the HTML

	const tableOf = (name) => document.querySelector(`details[data-of="${name}"] table`)
	const value = (cell) => (cell?.dataset.value === undefined ? null : Number(cell.dataset.value))

	function readSeries() {
		return [...tableOf('series').tBodies[0].rows].reverse().map((row) => {
			const [day, revenue, orders] = row.cells
			const state = revenue.dataset.state ?? 'open'
			return {
				date: row.dataset.date, label: day.textContent.trim(), value: value(revenue), state,
				shown: 'shown' in row.dataset, weekday: 'weekday' in row.dataset,
				text: state === 'open' ? [revenue.textContent, `${orders.textContent} orders`] : [state === 'closed' ? 'closed' : 'not computed'],
				unit: revenue.textContent.match(/^[^\d\s\u202f]*/)[0].replace('\u2212', ''),
			}
		})
	}

	const clock = (hour) => `${String(hour).padStart(2, '0')}:00`
	const lived = { 0: ' (left out by the clock change)', 7200: ' (twice, by the clock change)' }

	function readHours() {
		return [...tableOf('hours').tBodies[0].rows].map((row) => {
			const hour = Number(row.dataset.hour)
			const [, orders, revenue] = row.cells
			return {
				label: `${clock(hour)}–${clock((hour + 1) % 24)}${lived[row.dataset.seconds] ?? ''}`, short: clock(hour),
				value: value(orders), text: [`${orders.textContent} orders`, revenue.textContent],
			}
		})
	}

	// ---- looks

	function theme() {
		const style = getComputedStyle(document.documentElement)
		const token = (name) => style.getPropertyValue(`--${name}`).trim()
		return { ink: token('ink'), soft: token('ink-soft'), line: token('line'), edge: token('edge'), paper: token('paper'),
			accent: token('accent'), bar: token('bar'), strong: token('bar-strong') }
	}

	// 15400 -> 15.4k; exact figures are in the read-out and the table.
	function short(n) {
		const steps = [[1e9, 'bn'], [1e6, 'm'], [1e3, 'k']]
		const [size, name] = steps.find(([s]) => Math.abs(n) >= s) ?? [1, '']
		return `${n < 0 ? '−' : ''}${Number((Math.abs(n) / size).toFixed(1))}${name}`
	}

	const text = (t, color) => ({ color: color ?? t.soft, fontFamily: 'Inter, sans-serif', fontSize: 12 })

	// The lines of an axis: the lowest top above all bars with three or four steps of 1, 2, 2.5 or 5.
	function scale(values, whole) {
		const most = Math.max(...values, whole ? 4 : 1), least = Math.min(...values, 0)
		const size = 10 ** Math.floor(Math.log10(most / 3))
		const steps = [1, 2, 2.5, 5, 10].map((s) => s * size).filter((s) => !whole || Number.isInteger(s))
		const tops = steps.map((step) => ({ step, n: Math.ceil(most / step) })).filter(({ n }) => n >= 2 && n <= 4)
		const { step, n } = tops.sort((x, y) => x.step * x.n - y.step * y.n || y.n - x.n)[0]
		return { min: Math.floor(least / step) * step, max: step * n, interval: step }
	}

	function frame(t, rows, labels, axis, unit) {
		return {
			animation: false,
			textStyle: text(t),
			grid: { left: 0, right: 0, top: 16, bottom: 4, outerBoundsMode: 'same', outerBoundsContain: 'axisLabel' },
			xAxis: {
				type: 'category', data: rows.map((r, i) => i),
				axisLine: { lineStyle: { color: t.edge }, onZero: true }, axisTick: { show: false },
				axisLabel: { ...text(t), interval: (i) => labels[i] !== undefined, formatter: (i) => labels[i] ?? '',
					alignMaxLabel: 'right', margin: 12 },
			},
			yAxis: {
				type: 'value', ...axis, axisLine: { show: false }, axisTick: { show: false },
				splitLine: { lineStyle: { color: t.line } },
				// The unit stands once, at the highest line.
				axisLabel: { ...text(t), margin: 12, formatter: (n) => (n === axis.max ? `${unit}${short(n)}` : short(n)) },
			},
		}
	}

	function seriesOption(box, rows, t) {
		const weekdays = rows.flatMap((r, i) => (r.weekday ? [i] : []))
		const every = Math.ceil(weekdays.length * LABEL_PX / box.clientWidth)
		const labels = {}
		weekdays.filter((_, k) => (weekdays.length - 1 - k) % every === 0)
			.forEach((i) => { labels[i] = rows[i].label.replace(/^\S+ /, '').replace(/ \d{4}$/, '') })
		const unit = rows.find((r) => r.unit)?.unit
		const option = frame(t, rows, labels, scale(rows.map((r) => r.value)), unit ? `${unit}\u202f` : '')
		const color = (r) => (r.shown ? t.accent : r.weekday ? t.strong : t.bar)
		option.series = [{
			type: 'bar', barCategoryGap: narrow.matches ? '22%' : '28%', barMaxWidth: 24,
			data: rows.map((r) => ({ value: r.state === 'open' ? r.value : null, itemStyle: { color: color(r) } })),
			emphasis: { itemStyle: { color: 'inherit', opacity: 0.75 } },
		}, {
			type: 'scatter', silent: true, symbol: 'circle', symbolSize: narrow.matches ? 4 : 0.01, symbolOffset: [0, -5],
			itemStyle: { color: t.paper, borderColor: t.soft, borderWidth: narrow.matches ? 1 : 0 },
			label: { show: !narrow.matches, formatter: 'closed', rotate: 90, position: 'top', align: 'left', verticalAlign: 'middle',
				distance: 2, ...text(t) },
			data: rows.map((r) => (r.state === 'closed' ? 0 : null)),
		}]
		document.querySelector('[data-closed-note]').hidden = !narrow.matches || !rows.some((r) => r.state === 'closed')
		return option
	}

	function hoursOption(box, rows, t) {
		const most = Math.max(...rows.map((r) => r.value))
		const peak = most > 0 ? rows.findIndex((r) => r.value === most) : -1
		const labels = {}
		rows.forEach((r, i) => { if (i % 4 === 0) labels[i] = r.short })
		const option = frame(t, rows, labels, scale(rows.map((r) => r.value), true), '')
		option.series = [{
			type: 'bar', barCategoryGap: '28%',
			data: rows.map((r, i) => ({ value: r.value, itemStyle: { color: i === peak ? t.accent : t.bar },
				label: { show: i === peak, position: 'top', formatter: String(r.value), ...text(t, t.ink) } })),
			emphasis: { itemStyle: { color: 'inherit', opacity: 0.75 } },
		}]
		return option
	}

	// ---- one chart: option, read-out, clicks

	function pick(chart, event) {
		const [i] = chart.view.convertFromPixel({ xAxisIndex: 0, yAxisIndex: 0 }, [event.offsetX, event.offsetY])
		return i >= 0 && i < chart.rows.length ? Math.round(i) : -1
	}

	function tell(chart, i) {
		const row = chart.rows[i] ?? chart.rows[chart.rest]
		chart.out.hidden = !row
		if (!row) return
		const strong = document.createElement('strong')
		strong.textContent = row.text.join('  ·  ')
		chart.out.replaceChildren(row.label, ' ', strong)
		if (chart.told !== undefined) chart.view.dispatchAction({ type: 'downplay', seriesIndex: 0, dataIndex: chart.told })
		if (i >= 0) chart.view.dispatchAction({ type: 'highlight', seriesIndex: 0, dataIndex: i })
		chart.told = i >= 0 ? i : undefined
	}

	function open(chart, i) {
		const link = chart.rows[i]?.date && tableOf(chart.name).querySelector(`tr[data-date="${chart.rows[i].date}"] a`)
		if (link && !chart.rows[i].shown) location.assign(link.href)
	}

	function listen(chart) {
		const zr = chart.view.getZr()
		zr.on('mousemove', (e) => {
			const i = pick(chart, e)
			tell(chart, i)
			zr.setCursorStyle(chart.rows[i]?.date && chart.rows[i].state !== 'uncomputed' ? 'pointer' : 'default')
		})
		zr.on('globalout', () => tell(chart, -1))
		// A finger first reads; a mouse has read already.
		let touched = false
		chart.box.addEventListener('touchstart', () => { touched = true }, { passive: true })
		zr.on('click', (e) => {
			if (touched) tell(chart, pick(chart, e))
			else open(chart, pick(chart, e))
		})
	}

	const kinds = {
		series: { read: readSeries, option: seriesOption, rest: (rows) => rows.findIndex((r) => r.shown) },
		hours: { read: readHours, option: hoursOption,
			rest: (rows) => rows.reduce((best, r, i) => (r.value > rows[best].value ? i : best), 0) },
	}

	function draw(chart) {
		chart.view.setOption(kinds[chart.name].option(chart.box, chart.rows, theme()), { notMerge: true })
		tell(chart, -1)
	}

	function start(box) {
		const name = box.dataset.chart
		const rows = kinds[name].read()
		const chart = { name, box, rows, rest: kinds[name].rest(rows), out: document.querySelector(`[data-readout="${name}"]`),
			view: echarts.init(box, null, { renderer: 'canvas' }) }
		charts.push(chart)
		listen(chart)
		draw(chart)
		new ResizeObserver(() => {
			chart.view.resize()
			draw(chart)
		}).observe(box)
		box.dataset.drawn = ''
	}

	const redraw = () => charts.forEach(draw)
	document.addEventListener('themechange', redraw)
	narrow.addEventListener('change', redraw)
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
