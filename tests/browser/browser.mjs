// browser.mjs: Debian's Chromium, pages that note what went wrong in them, and axe.
import { mkdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import assert from 'node:assert/strict'
import path from 'node:path'
import { chromium } from 'playwright-core'
import { logIn } from '../lib/callers.mjs'
import { scratch } from '../lib/servers.mjs'

const axeSource = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

export const WIDE = { width: 1440, height: 900 }
export const PHONE = { width: 390, height: 844 }

// Its home is in the tests' own directory: it leaves crash reports and settings there.
export function launch() {
	const home = path.join(scratch(), 'chromium')
	mkdirSync(home, { recursive: true })
	return chromium.launch({
		env: { ...process.env, HOME: home, XDG_CONFIG_HOME: path.join(home, 'config'), XDG_CACHE_HOME: path.join(home, 'cache') },
		executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
		args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
			'--disable-component-update', '--disable-sync'],
	})
}

let session // of the pages that are opened from here on

// Logs in as `owner`, or as somebody else; null logs out.
export async function signIn(instance, username = 'owner', password = instance?.password()) {
	session = instance ? { cookie: (await logIn(instance, username, password)).cookie, url: instance.url('') } : undefined
}

// A page whose `troubles` lists console errors, exceptions, policy reports and requests to other hosts.
export async function openPage(browser, origin, { viewport = WIDE, colorScheme = 'light', javaScriptEnabled = true, ...more } = {}) {
	const context = await browser.newContext({ viewport, colorScheme, javaScriptEnabled, locale: 'en-GB', ...more })
	if (session) {
		const [name, value] = session.cookie.split('=')
		await context.addCookies([{ name, value, url: session.url }])
	}
	context.setDefaultTimeout(60_000)
	const page = await context.newPage()
	page.troubles = []
	page.on('console', (m) => { if (['error', 'warning'].includes(m.type())) page.troubles.push(`console: ${m.text()}`) })
	page.on('pageerror', (e) => page.troubles.push(`exception: ${e.message}`))
	page.on('request', (r) => { if (!/^(data|blob):/.test(r.url()) && new URL(r.url()).origin !== origin) page.troubles.push(`request: ${r.url()}`) })
	page.on('dialog', (d) => { page.troubles.push(`dialog: ${d.message()}`); d.dismiss() })
	if (javaScriptEnabled) {
		await page.exposeFunction('noteTrouble', (text) => page.troubles.push(text))
		await page.addInitScript(() => addEventListener('securitypolicyviolation',
			(e) => window.noteTrouble(`policy: ${e.violatedDirective} ${e.blockedURI} ${e.sourceFile}:${e.lineNumber}`)))
	}
	return page
}

export const drawn = (page) => page.waitForFunction(() =>
	[...document.querySelectorAll('[data-chart]')].every((box) => 'drawn' in box.dataset && box.querySelector('canvas')))

export async function assertAccessible(page, where) {
	await page.evaluate(axeSource)
	const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ['violations'] }))
	assert.deepEqual(violations.map((v) => `${where}: ${v.id}: ${v.nodes.map((n) => `${n.target} ${n.failureSummary}`).join(' | ')}`), [])
}

export async function assertNoSidewaysScroll(page) {
	const [inner, wide] = await page.evaluate(() => [innerWidth, document.documentElement.scrollWidth])
	assert.ok(wide <= inner, `the page is ${wide} px wide in a window of ${inner} px`)
}
