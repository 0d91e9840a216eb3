// shop.js: a shop of one page, as small as tracking can be shown with.
(function () {
	'use strict'

	const products = [
		{ product_id: '401', name: 'Headphones', category: 'electronics', price: '89.90' },
		{ product_id: '402', name: 'Coffee mug', category: 'kitchen', price: '12.50' },
		{ product_id: '403', name: 'Notebook', category: 'paper', price: '4.20' },
	]
	const find = (id) => document.getElementById(id)
	const about = ({ product_id, category, price }) => ({ product_id, category, price, quantity: 1, currency: 'EUR' })
	let cart = [], shown

	function showCart() {
		const sum = cart.reduce((cents, p) => cents + Math.round(p.price * 100), 0)
		find('lines').textContent = cart.length ? `${cart.map((p) => p.name).join(', ')}: €${(sum / 100).toFixed(2)}` : 'Nothing yet.'
		find('buy').disabled = cart.length === 0
	}

	function showPage() {
		shown = products.find((p) => p.product_id === new URLSearchParams(location.search).get('product'))
		find('product').hidden = !shown
		if (!shown) return
		find('name').textContent = shown.name
		find('price').textContent = `€${shown.price}`
		window.takings('product_view', about(shown))
	}

	find('products').append(...products.map((p) => {
		const link = document.createElement('a'), item = document.createElement('li')
		link.href = `?product=${p.product_id}`
		link.textContent = p.name
		link.addEventListener('click', (e) => {
			e.preventDefault()
			history.pushState(null, '', link.href)
			showPage()
		})
		item.append(link)
		return item
	}))
	find('add').addEventListener('click', () => {
		cart.push(shown)
		showCart()
		window.takings('add_to_cart', about(shown))
	})
	find('buy').addEventListener('click', () => {
		window.takings('checkout_start')
		window.takings('purchase', { order_lines: cart.length })
		cart = []
		showCart()
	})
	addEventListener('popstate', showPage)
	showPage()
})()
