// SPDX-License-Identifier: BSD-2-Clause
// monitor.js - Chart, Report and Alert, fed by server-sent events
//
// Whatever a process called itself is put in as text, never as markup.
'use strict';

// The day stands below the hour wherever it changes; 24 hours, whatever the browser's country.
const DAY = '\n{YYYY}-{MM}-{DD}';
const TIMES = [[86400, '{YYYY}-{MM}-{DD}', null, null, null, null, null, null, 1],
	       [60, '{HH}:{mm}', DAY, null, DAY, null, null, null, 1],
	       [0.001, '{HH}:{mm}:{ss}', DAY, null, DAY, null, null, null, 1]];
const LINES_MAX = 32, POINTS_MAX = 3600, FIRED_MAX = 200, ROWS_MAX = 2000;
const COLOURS = ['#0b63c4', '#d1531f', '#1a7f37', '#8a3ffc', '#b3261e', '#00798c', '#a06a00', '#c2185b'];
const DARK_COLOURS = ['#6cb2ff', '#ffa36b', '#6fd08c', '#c3a1ff', '#ff8a80', '#5fd3e6', '#e8c05a', '#ff8ebf'];
const COLUMNS = [
	{ key: 'pid', title: 'PID' }, { key: 'name', title: 'Name', text: true },
	{ key: 'user', title: 'User', text: true },
	{ key: 'container', title: 'Container', text: true, wide: true },
	{ key: 'handles', title: 'Handles' }, { key: 'handle_limit', title: 'Limit' },
	{ key: 'percent', title: '% of limit' }, { key: 'threads', title: 'Threads' },
	{ key: 'mappings', title: 'Mappings' },
	{ key: 'resident_kib', title: 'Resident KiB', wide: true },
	{ key: 'cpu_s', title: 'CPU s', wide: true },
	{ key: 'loss', title: 'Leak', leak: true },
];
const ALERT_COUNTERS = [['percent', 'percent of the own limit'], ['handles', 'handles'],
			['threads', 'threads'], ['mappings', 'mappings']];

const $ = (id) => document.getElementById(id);
const dark = matchMedia('(prefers-color-scheme: dark)');
const state = {
	processes: new Map(), // by identity
	times: [], lines: [], counter: 'handles', frozen: false, highlighted: null, chosen: false,
	sort: 'handles', descending: true, filter: '', rules: [], firing: new Set(), fired: 0,
	serverEvents: null, // the number of the last one; null: none came yet
};
let plot = null, historyRequest = 0;

const identity = (process) => process.pid + ':' + process.start_ticks;
const number = (value) => value === null || value === undefined ? '–' :
	(Number.isInteger(value) ? value : Number(value.toFixed(1))).toLocaleString('en');

function element(name, properties, ...children) {
	const made = Object.assign(document.createElement(name), properties);
	made.append(...children);
	return made;
}

function colour(line) {
	return (dark.matches ? DARK_COLOURS : COLOURS)[line.colour % COLOURS.length];
}

/* Chart */

function makePlot() {
	const style = getComputedStyle(document.documentElement);
	const ink = style.getPropertyValue('--soft'), grid = style.getPropertyValue('--line');
	const axis = { stroke: ink, grid: { stroke: grid, width: 1 }, ticks: { stroke: grid, width: 1 } };
	const values = (self, splits) => splits.map((v) => number(v));

	if (plot)
		plot.destroy();
	plot = new uPlot({
		width: Math.max($('plot').clientWidth, 300), height: 340,
		legend: { show: false },
		scales: { y: { range: (self, low, high) => low === null ? [0, 10] : [0, Math.max(high * 1.08, 5)] } },
		axes: [{ ...axis, values: TIMES, space: 80,
		 incrs: [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 28800, 86400] }, { ...axis, values, size: 72 }],
		series: [{}].concat(state.lines.map((line) => ({
			label: line.process.name, stroke: colour(line), spanGaps: false,
			width: state.highlighted === line.id ? 4 : 1.75,
			points: { show: state.times.length < 3 },
		}))),
	}, [state.times].concat(state.lines.map((line) => line.values)), $('plot'));
}

function redraw() {
	if ($('view-chart').hidden || state.frozen)
		return;
	plot.setData([state.times].concat(state.lines.map((line) => line.values)));
}

function summary(values) {
	const known = values.filter((value) => value !== null);
	if (!known.length)
		return { last: null, low: null, mean: null, high: null };
	return { last: values[values.length - 1], low: Math.min(...known), high: Math.max(...known),
		 mean: known.reduce((sum, value) => sum + value, 0) / known.length };
}

function swatch(line) {
	const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
	const box = document.createElementNS('http://www.w3.org/2000/svg', 'rect');
	for (const [name, value] of [['width', 18], ['height', 4], ['rx', 2], ['fill', colour(line)]])
		box.setAttribute(name, value);
	svg.setAttribute('width', 18);
	svg.setAttribute('height', 4);
	svg.setAttribute('class', 'swatch');
	svg.setAttribute('aria-hidden', 'true');
	svg.append(box);
	return svg;
}

function legendRow(line) {
	const values = summary(line.values);
	const remove = element('button', { className: 'remove', textContent: '✕', tabIndex: -1 });
	const row = element('tr', { tabIndex: -1 },
		element('td', { className: 'text', title: line.process.name }, swatch(line), line.process.name),
		element('td', { textContent: line.process.pid }),
		element('td', { className: 'text', textContent: line.process.user }));

	for (const value of [values.last, values.low, values.mean, values.high])
		row.append(element('td', { textContent: number(value) }));
	remove.setAttribute('aria-label', 'Remove ' + line.process.name);
	remove.addEventListener('click', () => removeLine(line.id));
	row.append(element('td', {}, remove));
	row.dataset.id = line.id;
	row.classList.toggle('strong', state.highlighted === line.id);
	return row;
}

/* Rows are made anew; the focus stays on the process that had it. */
function replaceRows(body, rows) {
	const had = document.activeElement && document.activeElement.closest('tr');
	const id = had && body.contains(had) ? had.dataset.id : null;
	const at = id === null ? 0 : Math.max([...body.children].indexOf(had), 0);

	body.replaceChildren(...rows);
	const again = rows.find((row) => row.dataset.id === id) || (id !== null && rows[Math.min(at, rows.length - 1)]);
	if (again)
		again.focus({ preventScroll: true });
	const stop = again || rows[0];
	if (stop)
		stop.tabIndex = 0;
}

function showLegend() {
	if (!$('view-chart').hidden)
		replaceRows($('legend').tBodies[0], state.lines.map(legendRow));
}

function freeColour() {
	for (let i = 0; ; i++)
		if (!state.lines.some((line) => line.colour === i))
			return i;
}

function addLine(process) {
	const id = identity(process);
	if (state.lines.some((line) => line.id === id))
		return 'already there';
	if (state.lines.length === LINES_MAX)
		return 'no more than ' + LINES_MAX + ' lines';
	state.lines.push({ id, process, colour: freeColour(), values: state.times.map(() => null) });
	return '';
}

function removeLine(id) {
	state.lines = state.lines.filter((line) => line.id !== id);
	if (state.highlighted === id)
		state.highlighted = null;
	makePlot();
	showLegend();
	showReport();
}

async function loadHistory() {
	const request = ++historyRequest, lines = state.lines;
	if (!lines.length) {
		makePlot();
		showLegend();
		return;
	}
	const answer = await fetch('api/v1/history?counter=' + state.counter + '&pid=' +
				   lines.map((line) => line.id).join(','));
	if (!answer.ok || request !== historyRequest)
		return; // a later question is on its way
	const history = await answer.json();
	state.times = history.time_ms.map((ms) => ms / 1000);
	for (const line of state.lines) {
		const series = history.series.find((one) => one.pid + ':' + one.start_ticks === line.id);
		line.values = series ? series.values : state.times.map(() => null);
	}
	makePlot();
	showLegend();
}

function addToChart(process) {
	const said = addLine(process);
	state.chosen = true;
	if (!said)
		loadHistory();
	return said;
}

function extendLines(sample) {
	const time = sample.time_ms / 1000;
	if (state.times.length && time <= state.times[state.times.length - 1])
		return; // the history had it already
	state.times.push(time);
	for (const line of state.lines) {
		const process = state.processes.get(line.id);
		line.values.push(process ? process[state.counter] : null);
	}
	if (state.times.length > POINTS_MAX) {
		state.times.shift();
		state.lines.forEach((line) => line.values.shift());
	}
}

/* Report */

function compare(one, other) {
	const a = one[state.sort], b = other[state.sort];
	if (a === b)
		return one.pid - other.pid;
	if (a === null || b === null)
		return a === null ? 1 : -1; // what is not known comes last
	const order = typeof a === 'string' ? a.localeCompare(b) : a - b;
	return state.descending ? -order : order;
}

function matches(process, text) {
	return !text || String(process.pid) === text || process.name.toLowerCase().includes(text) ||
		process.user.toLowerCase() === text;
}

function describeLeak(leak) {
	if (!leak || !leak.suspected)
		return leak ? '' : '–';
	const hours = leak.seconds_left === null ? null : leak.seconds_left / 3600;
	const whole = value => number(value < 10 ? Math.max(0, value) : Math.round(value));
	return '+' + whole(leak.handles_per_hour) + '/h (' + whole(leak.low_per_hour) + ' to ' + whole(leak.high_per_hour) + ')' + (hours === null ? '' :
		', full in ' + (hours < 48 ? number(hours) + ' h' : number(Math.round(hours / 24)) + ' days'));
}

function reportRow(process) {
	const id = identity(process);
	const row = element('tr', { tabIndex: -1 });
	for (const column of COLUMNS) {
		const value = process[column.key];
		const text = column.leak ? describeLeak(process.leak) : column.text ? value || '' : column.key === 'pid' ? value : number(value);
		const cell = element('td', { textContent: text });
		cell.className = [column.text && 'text', column.wide && 'wide', column.leak && 'leak',
				  (column.key === 'percent' && value >= 80 || column.leak && value !== null) && 'near'].filter(Boolean).join(' ');
		if (column.key === 'name')
			cell.title = value;
		row.append(cell);
	}
	row.dataset.id = id;
	row.classList.toggle('charted', state.lines.some((line) => line.id === id));
	return row;
}

function showReport() {
	if ($('view-report').hidden)
		return;
	const chosen = [...state.processes.values()].filter((process) => matches(process, state.filter));
	const shown = chosen.sort(compare).slice(0, ROWS_MAX);
	$('shown').textContent = shown.length + ' of ' + state.processes.size + ' processes';
	replaceRows($('report').tBodies[0], shown.map(reportRow));
}

function makeHeadings() {
	const row = $('report').tHead.rows[0];
	for (const column of COLUMNS) {
		const button = element('button', { textContent: column.title });
		const heading = element('th', { scope: 'col' }, button);
		heading.className = [column.text && 'text', column.wide && 'wide'].filter(Boolean).join(' ');
		heading.dataset.key = column.key;
		button.addEventListener('click', () => sortBy(column));
		row.append(heading);
	}
	markSorted();
}

function markSorted() {
	for (const heading of $('report').tHead.rows[0].cells) {
		if (heading.dataset.key === state.sort)
			heading.setAttribute('aria-sort', state.descending ? 'descending' : 'ascending');
		else
			heading.removeAttribute('aria-sort');
	}
}

function sortBy(column) {
	state.descending = state.sort === column.key ? !state.descending : !column.text && column.key !== 'pid';
	state.sort = column.key;
	markSorted();
	showReport();
}

/* Alert */

function describe(rule) {
	const title = ALERT_COUNTERS.find(([key]) => key === rule.counter)[1];
	return title + ' of ' + (rule.name || 'every process') + ' ' + rule.over + ' ' + rule.limit;
}

function showRules() {
	$('rules').replaceChildren(...state.rules.map((rule) => {
		const remove = element('button', { className: 'remove', textContent: '✕' });
		remove.setAttribute('aria-label', 'Do not watch ' + describe(rule));
		remove.addEventListener('click', () => {
			state.rules = state.rules.filter((other) => other !== rule);
			showRules();
		});
		return element('li', {}, describe(rule) + ' ', remove);
	}));
}

/* Once each time that the limit is crossed. */
function checkRule(rule, process, time) {
	const key = rule.id + ' ' + identity(process), value = process[rule.counter];
	const is = value !== null && (rule.over === 'over' ? value > rule.limit : value < rule.limit);

	if (is && !state.firing.has(key)) {
		$('fired').prepend(element('li', { textContent: new Date(time).toLocaleTimeString('en-GB') + '  ' +
			process.name + ' (' + process.pid + '): ' + number(value) + ' ' +
			ALERT_COUNTERS.find(([name]) => name === rule.counter)[1] + ', ' + rule.over + ' ' + rule.limit }));
		while ($('fired').children.length > FIRED_MAX)
			$('fired').lastChild.remove();
		state.fired++;
	}
	return is ? key : null;
}

function checkRules(time) {
	const firing = new Set();
	for (const rule of state.rules)
		for (const process of state.processes.values())
			if (matches(process, rule.name.toLowerCase())) {
				const key = checkRule(rule, process, time);
				if (key)
					firing.add(key);
			}
	state.firing = firing;
	showCount();
}

function showCount() {
	if (!$('view-alert').hidden)
		state.fired = 0;
	$('alert-count').hidden = state.fired === 0;
	$('alert-count').textContent = state.fired;
}

/* Alerts of the server */

function serverRule(rule) {
	const acts = [rule.runs && 'runs a command', rule.calls && 'calls an address'].filter(Boolean).join(' and ');
	const item = element('li', {}, rule.rule + (rule.active ? ' – ' + number(rule.active) + ' now' : '') +
			     (acts ? ' – ' + acts + (rule.every_time ? ', every time' : ', once') : ''));
	item.classList.toggle('near', rule.active > 0);
	return item;
}

function serverEvent(event) {
	const what = event.event === 'fired' ? 'fired' : event.ended ? 'ended' : 'cleared';
	const row = element('tr', {});
	for (const [text, isText] of [[new Date(event.time_ms).toLocaleTimeString('en-GB'), true], [what, true],
				      [event.pid ? event.name : 'all', true], [event.pid || '', false], [event.rule, true],
				      [event.ended ? '' : number(event.value), false], [event.outcome, true]])
		row.append(element('td', { textContent: text, className: isText ? 'text' : '' }));
	row.cells[1].classList.toggle('near', what === 'fired');
	return row;
}

/* What fired before the page was there is listed, but not counted as news. */
function takeAlerts(alerts) {
	const events = alerts.events, last = events.length ? events[events.length - 1].number : 0;
	const before = state.serverEvents > last ? 0 : state.serverEvents; // another server counts anew

	state.serverEvents = last;
	if (before !== null)
		state.fired += events.filter((event) => event.event === 'fired' && event.number > before).length;
	$('server-alerts').hidden = false;
	$('server-rules').replaceChildren(...alerts.rules.map(serverRule));
	$('server-fired').tBodies[0].replaceChildren(...events.slice().reverse().map(serverEvent));
	showCount();
}

/* Samples */

function take(sample) {
	state.processes = new Map();
	for (const process of sample.processes) {
		process.percent = process.handle_limit && process.handles !== null ?
			100 * process.handles / process.handle_limit : null;
		process.loss = process.leak && process.leak.suspected ? process.leak.handles_per_hour : null;
		process.resident_kib = process.resident_bytes === null ? null : Math.floor(process.resident_bytes / 1024);
		state.processes.set(identity(process), process);
	}
	state.lastTime = sample.time_ms;
	if (!state.chosen) { // until somebody chooses: those with the most handles
		state.chosen = true;
		[...state.processes.values()].filter((process) => process.handles)
			.sort((a, b) => b.handles - a.handles).slice(0, 5).forEach(addLine);
		loadHistory();
	} else {
		extendLines(sample);
	}
	redraw();
	showLegend();
	showReport();
	checkRules(sample.time_ms);
	$('status').className = 'live';
	$('status').textContent = 'live, ' + number(sample.processes.length) +
		(sample.processes.length === 1 ? ' process' : ' processes') + ' every ' +
		sample.interval_ms / 1000 + ' s, sampled in ' + (sample.sample_us / 1000).toFixed(1) + ' ms' +
		(sample.samples_missed ? ', ' + number(sample.samples_missed) + ' missed' : '');
}

function listen() {
	const events = new EventSource('api/v1/events');
	events.addEventListener('message', (event) => take(JSON.parse(event.data)));
	events.addEventListener('alerts', (event) => takeAlerts(JSON.parse(event.data)));
	events.addEventListener('error', () => {
		$('status').className = '';
		$('status').textContent = 'no connection' + (events.readyState === EventSource.CLOSED ? '; reload the page' : ', trying again');
	});
}

/* Keyboard and pointer */

function showTab(tab, focus) {
	for (const other of $('tabs').children) {
		other.setAttribute('aria-selected', other === tab);
		other.tabIndex = other === tab ? 0 : -1;
		$(other.getAttribute('aria-controls')).hidden = other !== tab;
	}
	if (focus)
		tab.focus();
	makePlot();
	showLegend();
	showReport();
	checkRules(state.lastTime);
}

function moveTab(event) {
	const tabs = [...$('tabs').children], at = tabs.indexOf(document.activeElement);
	const to = { ArrowRight: at + 1, ArrowLeft: at - 1 + tabs.length, Home: 0, End: tabs.length - 1 }[event.key];
	if (to === undefined)
		return;
	event.preventDefault();
	showTab(tabs[to % tabs.length], true);
}

function moveRow(event, act) {
	const row = event.target.closest('tr');
	const rows = row ? [...row.parentElement.children] : [];
	const step = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10, Home: -Infinity, End: Infinity }[event.key];
	if (!row || !row.dataset.id || event.target.tagName !== 'TR')
		return;
	if (step !== undefined) {
		const to = rows[Math.min(Math.max(rows.indexOf(row) + step, 0), rows.length - 1)];
		row.tabIndex = -1;
		to.tabIndex = 0;
		to.focus();
		event.preventDefault();
	} else {
		act(event, row.dataset.id);
	}
}

function actOnLegend(event, id) {
	if (event.key === 'Delete')
		removeLine(id);
	else if (event.key.toLowerCase() === 'h' && !event.ctrlKey && !event.altKey && !event.metaKey)
		highlight(id);
}

function highlight(id) {
	state.highlighted = state.highlighted === id ? null : id;
	makePlot();
	showLegend();
}

function toggle(id) {
	if (state.lines.some((line) => line.id === id))
		removeLine(id);
	else if (state.processes.has(id))
		addToChart(state.processes.get(id));
	showReport();
}

function addByWord(event) {
	const word = $('add').value.trim();
	const process = [...state.processes.values()].filter((one) => String(one.pid) === word || one.name === word)
		.sort((a, b) => (b.handles || 0) - (a.handles || 0));
	event.preventDefault();
	if (!process.length) {
		$('add-said').textContent = word ? 'no process ' + word : 'which process?';
		return;
	}
	$('add-said').textContent = process.length > LINES_MAX ? 'too many' :
		process.map(addToChart).find(Boolean) || '';
	$('add').value = '';
}

function addRule(event) {
	event.preventDefault();
	state.rules.push({ id: Date.now() + Math.random(), counter: $('alert-counter').value, name: $('alert-name').value.trim(),
			   over: $('alert-over').value, limit: Number($('alert-limit').value) });
	showRules();
	checkRules(state.lastTime);
}

function fillNames() {
	const names = [...new Set([...state.processes.values()].filter((one) => one.handles !== 0).map((one) => one.name))];
	$('names').replaceChildren(...names.sort().slice(0, 500).map((name) => element('option', { value: name })));
}

function connect() {
	$('tabs').addEventListener('keydown', moveTab);
	for (const tab of $('tabs').children)
		tab.addEventListener('click', () => showTab(tab, false));
	$('counter').addEventListener('change', () => {
		state.counter = $('counter').value;
		loadHistory();
	});
	$('add-form').addEventListener('submit', addByWord);
	$('add').addEventListener('focus', fillNames);
	$('freeze').addEventListener('click', () => {
		state.frozen = !state.frozen;
		$('freeze').setAttribute('aria-pressed', state.frozen);
		redraw();
	});
	$('legend').addEventListener('keydown', (event) => moveRow(event, actOnLegend));
	$('legend').addEventListener('dblclick', (event) => {
		const row = event.target.closest('tr');
		if (row && row.dataset.id)
			highlight(row.dataset.id);
	});
	$('report').addEventListener('keydown', (event) => moveRow(event, (key, id) => {
		if (key.key === 'Enter')
			toggle(id);
	}));
	$('report').addEventListener('dblclick', (event) => {
		const row = event.target.closest('tr');
		if (row && row.dataset.id)
			toggle(row.dataset.id);
	});
	$('filter').addEventListener('input', () => {
		state.filter = $('filter').value.trim().toLowerCase();
		showReport();
	});
	for (const [key, title] of ALERT_COUNTERS)
		$('alert-counter').append(element('option', { value: key, textContent: title }));
	$('alert-form').addEventListener('submit', addRule);
	dark.addEventListener('change', () => { makePlot(); showLegend(); });
	addEventListener('resize', () => plot.setSize({ width: Math.max($('plot').clientWidth, 300), height: 340 }));
}

makeHeadings();
makePlot();
connect();
listen();
