// The pages of administration as people use them: by mouse, keyboard and finger, with and without
// script, in the light and in the dark.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { batch } from '../lib/callers.mjs'
import { startInstance } from '../lib/instance.mjs'
import { PHONE, WIDE, assertAccessible, assertNoSidewaysScroll, launch, openPage, signIn } from './browser.mjs'

const PASSWORD = 'a password of tests'
const PAGES = ['/admin/account', '/admin/users', '/admin/audit', '/admin/system']

describe('administration', () => {
	let instance, browser, origin, page

	before(async () => {
		instance = await startInstance({ RATE_LIMIT_USERS: '0', RATE_LIMIT_LOGIN: '0' })
		origin = instance.url('')
		browser = await launch()
		for (const [name, role] of [['anna', 'admin'], ['vera', 'viewer'], ['carla.with-a-rather-long-name@mail.of-the-shop.example', 'analyst']])
			await batch(instance, ['user', 'add', name, '--role', role], `${PASSWORD}\n`)
		await batch(instance, ['key', 'add', 'a dashboard in the shop whose name is long enough to be broken into lines', '--scope', 'read'])
		await batch(instance, ['key', 'add', 'x'.repeat(100), '--scope', 'ingest'])
		await batch(instance, ['user', 'disable', 'vera'])
		await signIn(instance)
	})

	after(async () => {
		await browser?.close()
		await instance?.destroy()
	})

	const open = async (target, options) => {
		page = await openPage(browser, origin, options)
		await page.goto(instance.url(target))
		return page
	}
	const close = async (expected = []) => {
		const { troubles } = page
		await page.context().close()
		assert.deepEqual(troubles, expected)
	}
	const failed = (status) => `console: Failed to load resource: the server responded with a status of ${status} ()`
	const textOf = async (selector) => (await page.locator(selector).first().textContent()).trim()
	const unfold = () => page.evaluate(() => { for (const d of document.querySelectorAll('main details')) d.open = true })

	for (const target of [...PAGES, '/admin/users?done=key_revoked', '/admin/audit?actor=nobody', '/admin/audit?action=user_add'])
		it(`${target} is accessible and quiet, wide and narrow, light and dark`, async () => {
			await open(target, { reducedMotion: 'reduce' }) // no colour on its way to another
			await assertAccessible(page, target)
			for (const viewport of [WIDE, PHONE]) {
				await page.setViewportSize(viewport)
				await assertNoSidewaysScroll(page)
			}
			await unfold()
			for (const viewport of [WIDE, PHONE])
				for (const colorScheme of ['light', 'dark']) {
					await page.setViewportSize(viewport)
					await page.emulateMedia({ colorScheme })
					await assertNoSidewaysScroll(page)
					await assertAccessible(page, `${target}, unfolded, ${viewport.width} px, ${colorScheme}`)
				}
			await close()
		})

	it('fits 320, 719, 720 and 1024 px', async () => {
		for (const target of PAGES) {
			await open(target)
			await unfold()
			for (const width of [320, 719, 720, 1024]) {
				await page.setViewportSize({ width, height: 800 })
				await assertNoSidewaysScroll(page)
			}
			await close()
		}
	})

	it('gives a finger 40 px or more to hit', async () => {
		for (const target of PAGES) {
			await open(target, { viewport: PHONE, hasTouch: true })
			await unfold()
			const small = await page.$$eval('main :is(a, button, input:not([type="hidden"], .hidden), select, summary)', (list) => list
				.filter((e) => e.offsetParent && e.getBoundingClientRect().height < 40).map((e) => e.outerHTML))
			assert.deepEqual(small, [], target)
			await close()
		}
	})

	for (const javaScriptEnabled of [true, false])
		it(`makes and revokes a key ${javaScriptEnabled ? 'with' : 'without'} script`, async () => {
			const name = `till ${javaScriptEnabled}`
			await open('/admin/users', { javaScriptEnabled, permissions: ['clipboard-read', 'clipboard-write'] })
			await page.fill('#key-name', name)
			await page.selectOption('#key-scope', 'read')
			await page.click('text=Make the key')
			await page.waitForSelector('#new-key')
			const key = await textOf('#new-key')
			assert.match(key, /^tk_[\w-]{51}$/)
			assert.ok((await textOf('#new-curl')).includes(`${origin}/api/`), await textOf('#new-curl'))
			const copy = page.locator('[data-copy="new-key"]')
			assert.equal(await copy.isVisible(), javaScriptEnabled)
			if (javaScriptEnabled) {
				await assertAccessible(page, 'the new key')
				await copy.click()
				await page.waitForSelector('text=Copied')
				assert.equal(await page.evaluate(() => navigator.clipboard.readText()), key)
			}
			const row = page.locator('tr', { hasText: name })
			await row.locator('summary').click()
			await row.locator('input[name="confirm"]').fill('something else')
			await row.locator('button').click()
			await page.waitForSelector('[role="alert"]')
			assert.match(await textOf('[role="alert"]'), /not the key’s name/)
			await page.locator('tr', { hasText: name }).locator('summary').click()
			await page.locator('tr', { hasText: name }).locator('input[name="confirm"]').fill(name)
			await page.locator('tr', { hasText: name }).locator('button').click()
			await page.waitForURL('**/admin/users?done=key_revoked')
			assert.match(await textOf('[role="status"]'), /^The key is revoked/)
			await close([failed(422)])
		})

	it('is used by keyboard', async () => {
		await signIn(null)
		await open('/admin/audit')
		assert.equal(new URL(page.url()).search, '?next=/admin/audit')
		const focused = () => page.evaluate(() => document.activeElement.id || document.activeElement.textContent.trim())
		for (const expected of ['username', 'password', 'Log in']) {
			await page.keyboard.press('Tab')
			assert.equal(await focused(), expected)
			if (expected === 'username') await page.keyboard.type('anna')
			if (expected === 'password') await page.keyboard.type(PASSWORD)
		}
		await page.keyboard.press('Enter')
		await page.waitForURL(instance.url('/admin/audit'))
		await page.goto(instance.url('/admin/users'))
		await page.locator('tr[data-user="vera"] select').focus()
		await page.keyboard.press('ArrowDown')
		await page.keyboard.press('Tab')
		await page.keyboard.press('Enter')
		await page.waitForURL('**/admin/users?done=role')
		assert.equal(await page.locator('tr[data-user="vera"] select').inputValue(), 'analyst')
		await page.locator('tr[data-user^="carla"] summary').focus()
		await page.keyboard.press('Enter')
		await page.keyboard.press('Tab')
		await page.keyboard.type('carla.with-a-rather-long-name@mail.of-the-shop.example')
		await page.keyboard.press('Enter')
		await page.waitForURL('**/admin/users?done=disabled')
		await page.click('nav >> text=Log out')
		await page.waitForURL('**/admin/login')
		await close()
		await signIn(instance)
	})

	it('changes a password without script, and says at the field what is wrong', async () => {
		await signIn(instance, 'anna', PASSWORD)
		await open('/admin/account', { javaScriptEnabled: false, viewport: PHONE })
		const change = async (current, password, again = password) => {
			for (const [field, text] of Object.entries({ current, password, again })) await page.fill(`#${field}`, text)
			await page.click('text=Change password')
			await page.waitForSelector('.problem, [role="status"]')
		}
		for (const [given, field] of [[['wrong', 'correct horse'], 'current'], [[PASSWORD, 'short'], 'password'], [[PASSWORD, 'correct horse', 'another horse'], 'again']]) {
			await change(...given)
			assert.equal(await page.locator('.problem').count(), 1)
			assert.equal(await page.locator(`#${field}`).getAttribute('aria-invalid'), 'true')
		}
		await change(PASSWORD, 'correct horse battery')
		assert.match(await textOf('[role="status"]'), /^Your password is changed/)
		await close([failed(422), failed(422), failed(422)])
		await signIn(instance)
	})

	it('has a login page for every state', async () => {
		await signIn(null)
		for (const viewport of [WIDE, PHONE])
			for (const colorScheme of ['light', 'dark']) {
				await open('/admin/login', { viewport, colorScheme })
				await assertAccessible(page, 'login')
				await page.fill('#username', 'somebody')
				await page.fill('#password', 'wrong')
				await page.click('button')
				await page.waitForSelector('[role="alert"]')
				assert.equal(await textOf('[role="alert"]'), 'Name or password are not right.')
				assert.equal(await page.inputValue('#username'), 'somebody')
				await assertAccessible(page, 'wrong password')
				await assertNoSidewaysScroll(page)
				await close([failed(401)])
			}
		await open('/admin/login', { viewport: PHONE })
		for (let i = 0; i < 2; i++) {
			await page.fill('#username', 'somebody')
			await page.fill('#password', 'wrong')
			await page.click('button')
			await page.waitForFunction((n) => performance.getEntriesByType('navigation')[0].responseStatus === (n ? 429 : 401), i)
		}
		assert.match(await textOf('[role="alert"]'), /^Too many attempts: wait \d+ s\.$/)
		await assertAccessible(page, 'too many attempts')
		await close([failed(401), failed(429)])
		await signIn(instance)
	})

	for (const [target, who, status, words] of [['/admin/nothing', 'owner', 404, 'there is nothing at this address'],
		['/admin/users', 'ines', 403, 'this needs more rights than yours'], ['/admin/audit?since=x', 'owner', 422, 'since must be a date YYYY-MM-DD']])
		it(`explains ${status} at ${target}`, async () => {
			if (who !== 'owner') {
				await batch(instance, ['user', 'add', who, '--role', 'viewer'], `${PASSWORD}\n`)
				await signIn(instance, who, PASSWORD)
			}
			for (const viewport of [WIDE, PHONE]) {
				await open(target, { viewport, colorScheme: viewport === PHONE ? 'dark' : 'light' })
				assert.equal(await textOf('h1'), words)
				await assertAccessible(page, target)
				await assertNoSidewaysScroll(page)
				await close([failed(status)])
			}
			await signIn(instance)
		})

	it('shows a viewer no way to what an admin does', async () => {
		await batch(instance, ['user', 'add', 'vito', '--role', 'viewer'], `${PASSWORD}\n`)
		await signIn(instance, 'vito', PASSWORD)
		await open('/admin/account')
		assert.equal(await page.locator('a[href="/admin/users"], a[href="/admin/audit"], a[href="/admin/system"]').count(), 0)
		await close()
		await signIn(instance)
	})
})
