// The two pages of the API's documentation: complete, quiet, and asking nobody else.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { startInstance } from '../lib/instance.mjs'
import { root } from '../lib/process.mjs'
import { PHONE, launch, openPage } from './browser.mjs'

describe('documentation', () => {
	let instance, browser, origin, doc, page

	before(async () => {
		instance = await startInstance()
		origin = instance.url('')
		doc = (await instance.get('/openapi.json')).json
		browser = await launch()
	})

	after(async () => {
		await browser?.close()
		await instance?.destroy()
	})

	const open = async (target, options) => {
		page = await openPage(browser, origin, options)
		await page.goto(instance.url(target))
	}
	const close = async () => {
		const { troubles } = page
		await page.context().close()
		assert.deepEqual(troubles, [])
	}
	const paths = () => Object.keys(doc.paths).sort()

	it('/docs lists every operation', async () => {
		await open('/docs')
		await page.waitForSelector('.opblock')
		const shown = await page.$$eval('.opblock-summary-path', (all) => all.map((x) => x.dataset.path))
		assert.deepEqual([...new Set(shown)].sort(), paths())
		await close()
	})

	it('/docs asks this server, with a token', async () => {
		const token = await instance.token()
		await open('/docs')
		await page.click('.btn.authorize')
		await page.fill('.auth-container input >> nth=0', token)
		await page.click('.auth-container button.authorize >> nth=0')
		await page.click('.close-modal')
		await page.click('#operations-Analytics-getAnalyticsTopItems .opblock-summary-control')
		await page.click('.try-out__btn')
		const asked = page.waitForResponse((r) => r.url().includes('/api/admin/analytics/top-items'))
		await page.click('.btn.execute')
		const answer = await asked
		assert.equal(answer.status(), 200)
		assert.equal(await answer.request().headerValue('authorization'), `Bearer ${token}`)
		await page.waitForSelector('.live-responses-table .response .highlight-code')
		assert.match(await page.textContent('.live-responses-table .response'), /"item_id"/)
		await close()
	})

	it('/redoc shows every operation, and finds one', async () => {
		await open('/redoc')
		await page.waitForSelector('[role=menuitem]')
		for (const target of paths()) assert.ok((await page.textContent('#docs')).includes(target), target)
		await page.fill('.search-input', 'hourly')
		await page.waitForSelector('[data-role="search:results"] [role=menuitem]')
		await close()
	})

	it('both name the versions of the files there are, which may be kept for ever', async () => {
		const versions = Object.fromEntries(readFileSync(path.join(root, 'static/vendor/VERSIONS'), 'utf8').trim().split('\n').map((line) => line.split(' ')))
		const named = async (target) => [...(await instance.get(target)).text.matchAll(/vendor\/([a-z-]+)[.a-z-]*\?v=([\d.]+)/g)].map(([, file, v]) => `${file} ${v}`)
		assert.deepEqual(await named('/docs'), ['swagger-ui', 'swagger-ui-bundle'].map((file) => `${file} ${versions['swagger-ui-dist']}`))
		assert.deepEqual(await named('/redoc'), [`redoc ${versions.redoc}`])
	})

	for (const target of ['/docs', '/redoc'])
		it(`${target} allows no script but ours, and leads back`, async () => {
			const { headers } = await instance.get(target)
			assert.match(headers['content-security-policy'], /^default-src 'none'; script-src 'self'; .*frame-ancestors 'none'$/)
			assert.doesNotMatch(headers['content-security-policy'], /https?:|\*|unsafe-eval/)
			await open(target, { viewport: PHONE })
			await page.waitForSelector('.opblock, [role=menuitem]', { state: 'attached' })
			assert.equal(await page.getAttribute('.docs-brand', 'href'), '/admin/')
			assert.equal(await page.getAttribute('[aria-current=page]', 'href'), target)
			await close()
		})
})
