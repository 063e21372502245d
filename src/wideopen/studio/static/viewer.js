// The viewer: shows pictures, and tells Python where was clicked, painted and looked. Everything it knows comes in
// messages (actions.py); it keeps the newest of each thing. Runs once, as the body of a function of
// (element, trigger, props, server, upload, watch).
const root = element.querySelector('.wo');
const $ = (selector) => root.querySelector(selector);
const canvas = $('.wo-canvas'), stage = $('.wo-stage'), pen = canvas.getContext('2d');
const pictures = {};                     // name -> ImageBitmap or HTMLImageElement, decoded
const state = {
  photo: null, view: 'result', tool: 'focus', kind: 'add', size: 0.04, strokes: 0,
  focus: null, detail: null, divider: 0.5, scale: 1, x: 0, y: 0, fitted: true, cursor: null, stroke: null,
  working: false,
};
const DETAIL_AFTER_MS = 700, CLICK_PX = 6, MOST_ZOOM = 8;

// What is done before the page is wired would be lost; it waits for the first message.
const early = [];
const send = (name, data) => (root.dataset.ready === 'yes' ? trigger(name, data) : early.push([name, data]));
function ready() {
  root.dataset.ready = 'yes';
  for (const [name, data] of early.splice(0)) trigger(name, data);
}

// --- geometry: (x, y) in CSS pixels of the stage = fraction * drawn size + offset
const ratio = () => window.devicePixelRatio || 1;
const drawn = () => ({ w: state.photo.width * state.scale, h: state.photo.height * state.scale });
const fitScale = () => Math.min(stage.clientWidth / state.photo.width, stage.clientHeight / state.photo.height);
const toPhoto = (px, py) => ({ x: (px - state.x) / drawn().w, y: (py - state.y) / drawn().h });
const inside = (p) => p.x >= 0 && p.x < 1 && p.y >= 0 && p.y < 1;

function fit() {
  if (!state.photo) return;
  state.fitted = true;
  state.scale = fitScale();
  place();
}
function place() {                       // centred where smaller than the stage, else no gap at its sides
  const { w, h } = drawn(), W = stage.clientWidth, H = stage.clientHeight;
  state.x = w <= W ? (W - w) / 2 : Math.min(0, Math.max(W - w, state.x));
  state.y = h <= H ? (H - h) / 2 : Math.min(0, Math.max(H - h, state.y));
  if (!state.fitted) {                   // on whole pixels of the screen, or 100% would be drawn between them
    state.x = Math.round(state.x * ratio()) / ratio();
    state.y = Math.round(state.y * ratio()) / ratio();
  }
  $('.wo-zoom').setAttribute('aria-pressed', String(!state.fitted));
  $('.wo-zoom').textContent = state.fitted ? '100%' : 'Fit';
  paint();
  wantDetail();
}
function zoomTo(scale, px = stage.clientWidth / 2, py = stage.clientHeight / 2) {
  if (!state.photo) return;
  const least = fitScale(), most = Math.max(MOST_ZOOM / ratio(), least), p = toPhoto(px, py);
  state.scale = Math.min(most, Math.max(least, scale));
  state.fitted = state.scale <= least * 1.001;
  const { w, h } = drawn();
  state.x = px - p.x * w;
  state.y = py - p.y * h;
  place();
}
function hundred() {
  if (!state.fitted) return fit();
  const at = state.focus || { x: 0.5, y: 0.4 }, { w, h } = drawn();
  zoomTo(1 / ratio(), state.x + at.x * w, state.y + at.y * h);
}

// --- drawing
function paint() {
  const r = ratio(), W = stage.clientWidth, H = stage.clientHeight;
  if (canvas.width !== Math.round(W * r) || canvas.height !== Math.round(H * r)) {
    canvas.width = Math.round(W * r);
    canvas.height = Math.round(H * r);
  }
  pen.setTransform(r, 0, 0, r, 0, 0);
  pen.clearRect(0, 0, W, H);
  if (!state.photo) return;
  const { w, h } = drawn();
  pen.imageSmoothingEnabled = true;
  pen.imageSmoothingQuality = 'high';
  const draw = (picture) => picture && pen.drawImage(picture, state.x, state.y, w, h);
  const brushing = state.tool === 'brush';
  const shown = brushing ? 'original' : state.view === 'compare' ? 'result' : state.view;
  draw(pictures[shown] || pictures.original);
  if (state.detail && shown === 'result') {
    const [bx, by, bw, bh] = state.detail.box;
    pen.drawImage(state.detail.picture, state.x + bx * w, state.y + by * h, bw * w, bh * h);
  }
  if (brushing) drawMaps(w, h);
  if (state.view === 'compare' && !brushing) {
    pen.save();
    pen.beginPath();
    pen.rect(0, 0, state.divider * W, H);
    pen.clip();
    draw(pictures.original);
    pen.restore();
  }
  if (state.stroke) drawStroke(w, h);
  putMarks(w, h);
}
function drawMaps(w, h) {                // what is subject stays bright; or the depth over the photo
  const depth = state.kind === 'nearer' || state.kind === 'farther';
  const map = depth ? pictures.disparity : pictures.matte;
  if (!map) return;
  pen.save();
  pen.globalAlpha = depth ? 0.6 : 0.72;
  pen.globalCompositeOperation = depth ? 'source-over' : 'multiply';
  pen.drawImage(map, state.x, state.y, w, h);
  pen.restore();
}
function drawStroke(w, h) {
  pen.save();
  pen.lineCap = pen.lineJoin = 'round';
  pen.lineWidth = 2 * state.size * w;
  pen.strokeStyle = { add: 'rgb(255 255 255 / .55)', take: 'rgb(0 0 0 / .6)', nearer: 'rgb(255 220 80 / .6)', farther: 'rgb(40 80 160 / .6)' }[state.kind];
  pen.beginPath();
  state.stroke.forEach(([x, y], i) => pen[i ? 'lineTo' : 'moveTo'](state.x + x * w, state.y + y * h));
  if (state.stroke.length === 1) pen.lineTo(state.x + state.stroke[0][0] * w + 0.01, state.y + state.stroke[0][1] * h);
  pen.stroke();
  pen.restore();
}
function putMarks(w, h) {
  const at = state.cursor || state.focus, reticle = $('.wo-reticle'), compare = state.view === 'compare' && state.tool !== 'brush';
  reticle.hidden = !at || state.tool === 'brush' || !['result', 'compare', 'original'].includes(state.view);
  if (!reticle.hidden) reticle.style.transform = 'translate(' + (state.x + at.x * w) + 'px,' + (state.y + at.y * h) + 'px)';
  reticle.classList.toggle('wo-ghost', !!state.cursor);
  for (const tag of root.querySelectorAll('.wo-tag, .wo-divider')) tag.hidden = !compare || !state.photo;
  $('.wo-divider').style.left = 100 * state.divider + '%';
  $('.wo-divider').setAttribute('aria-valuenow', String(Math.round(100 * state.divider)));
}

// --- pictures: the newest of each name wins, whatever order they are decoded in
const serials = {};
async function take(name, url, serial) {
  serials[name] = serial;
  const image = new Image();
  image.src = url;
  await image.decode();
  if (serials[name] !== serial) return;
  pictures[name] = image;
  if (name === 'result') {
    state.detail = null;
    root.dataset.result = String(serial);
  }
}
async function received(message) {
  if (!message || !message.serial) return;
  if (message.ready) ready();
  if (message.photo) {
    Object.assign(state, { photo: message.photo, focus: null, detail: null, cursor: null, view: state.view });
    delete pictures.result;
    about(message.photo);
  }
  if ('focus' in message) { state.focus = message.focus; state.cursor = null; }
  if ('strokes' in message) { state.strokes = message.strokes; $('.wo-undo').disabled = !message.strokes; }
  if (message.photo || message.detail || message.error) { state.working = false; $('.wo-uploading').hidden = true; }
  if (message.error) fail(message.error);
  if (message.download) save(message.download);
  try {
    await Promise.all(Object.entries(message.pictures || {}).map(([name, url]) => take(name, url, message.serial)));
    if (message.detail) {
      const image = new Image();
      image.src = message.detail.picture;
      await image.decode();
      state.detail = { box: message.detail.box, picture: image };
      root.dataset.detail = String(message.serial);
    }
  } catch (error) {
    return fail('A picture could not be shown. Try again.');
  }
  if (message.photo) {
    root.dataset.hasPhoto = 'yes';
    fit();
  } else paint();
  if (message.pictures) wantDetail();
  chip();
}
function about(photo) {
  const plainly = (word) => ({ planar: 'from the matte' }[word] || word);
  $('.wo-name').textContent = photo.name + '  ' + photo.width + ' × ' + photo.height + (photo.hdr ? '  HDR' : '');
  $('.wo-sources').textContent = 'Matte: ' + plainly(photo.matte) + '. Depth: ' + plainly(photo.disparity) + '.';
  const notes = $('.wo-foot details');
  notes.hidden = !photo.notes.length;
  notes.querySelector('ul').replaceChildren(...photo.notes.map((line) => Object.assign(document.createElement('li'), { textContent: line })));
}
// What the server does is shown by Gradio's status over the viewer; until it hears of a file, this is.
function uploading(text) {
  state.working = true;
  $('.wo-uploading').textContent = text;
  $('.wo-uploading').hidden = !text;
}
let hide = 0;
function fail(text) {
  $('.wo-error span').textContent = text;
  $('.wo-error').hidden = false;
  $('.wo-uploading').hidden = true;
  clearTimeout(hide);
  hide = setTimeout(() => { $('.wo-error').hidden = true; }, 15000);
}
function save(what) {
  const link = document.createElement('a'), config = window.gradio_config || {};
  const server = (config.root || '') + (config.api_prefix || '/gradio_api');
  link.href = 'text' in what ? URL.createObjectURL(new Blob([what.text], { type: 'application/json' }))
    : server + '/file=' + what.path.split('/').map(encodeURIComponent).join('/');
  link.download = what.name;
  document.body.append(link);
  link.click();
  link.remove();
}

// --- full size, when zoomed beyond what the preview holds
let timer = 0;
function wantDetail() {
  clearTimeout(timer);
  if (!state.photo || state.tool === 'brush' || !['result', 'compare'].includes(state.view)) return chip();
  const pixels = state.photo.preview_width / state.photo.width;
  const enough = Math.min(pixels * 1.15, 0.999);  // of the preview's pixels; at 100% they are not the photo's
  if (state.scale * ratio() > enough && pixels < 1 && !covered()) timer = setTimeout(() => { if (!state.working && !covered()) { state.working = true; send('wo_detail', visible()); chip(); } }, DETAIL_AFTER_MS);
  chip();
}
function visible() {
  const a = toPhoto(0, 0), b = toPhoto(stage.clientWidth, stage.clientHeight), clamp = (v) => Math.min(1, Math.max(0, v));
  return { x: clamp(a.x), y: clamp(a.y), width: clamp(b.x) - clamp(a.x), height: clamp(b.y) - clamp(a.y) };
}
function covered() {
  if (!state.detail) return false;
  const v = visible(), [x, y, w, h] = state.detail.box, e = 2e-3;
  return v.x >= x - e && v.y >= y - e && v.x + v.width <= x + w + e && v.y + v.height <= y + h + e;
}
function chip() {
  const label = $('.wo-chip'), zoomed = state.photo && !state.fitted;
  label.hidden = !zoomed;
  if (zoomed) label.textContent = Math.round(100 * state.scale * ratio()) + '%' + (covered() ? ', full size' : state.photo.preview_width < state.photo.width ? ', preview' : '');
}

// --- opening
async function open(file) {
  if (!file) return;
  $('.wo-error').hidden = true;
  uploading('Uploading ' + file.name + ', ' + (file.size / 1e6).toFixed(1) + ' MB');
  try {
    const mark = crypto.getRandomValues(new Uint32Array(2)).join('-');
    const sent = await upload(new File([file], mark + '_' + file.name, { type: file.type }));
    uploading('');
    send('wo_upload', { path: sent.path, name: file.name });
  } catch (error) {
    const large = /413|exceed|large|max/i.test(String(error && error.message || error));
    fail(large ? file.name + ' is too large for this page.' : file.name + ' could not be uploaded. Is the studio still running?');
  }
}
const input = $('.wo-file');
for (const button of root.querySelectorAll('.wo-open')) button.addEventListener('click', () => input.click());
input.addEventListener('change', () => { open(input.files[0]); input.value = ''; });
for (const button of root.querySelectorAll('[data-sample]')) button.addEventListener('click', () => {
  uploading('');
  send('wo_sample', { name: button.dataset.sample });
});
stage.addEventListener('dragover', (event) => { event.preventDefault(); root.classList.add('wo-over'); });
stage.addEventListener('dragleave', () => root.classList.remove('wo-over'));
stage.addEventListener('drop', (event) => { event.preventDefault(); root.classList.remove('wo-over'); open(event.dataTransfer.files[0]); });
const pasted = (event) => {
  if (!root.isConnected) return document.removeEventListener('paste', pasted);
  const file = [...(event.clipboardData || {}).files || []].find((f) => f.type.startsWith('image/'));
  if (file) { event.preventDefault(); open(file); }
};
document.addEventListener('paste', pasted);

// --- views and tools
function radios(group, chosen) {
  const buttons = [...group.querySelectorAll('[role=radio]')];
  const choose = (button) => {
    for (const b of buttons) { b.setAttribute('aria-checked', String(b === button)); b.tabIndex = b === button ? 0 : -1; }
    chosen(button);
  };
  buttons.forEach((b, i) => { b.tabIndex = i ? -1 : 0; b.addEventListener('click', () => choose(b)); });
  group.addEventListener('keydown', (event) => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const next = buttons[(buttons.indexOf(document.activeElement) + step + buttons.length) % buttons.length];
    next.focus();
    choose(next);
  });
  return (value) => choose(buttons.find((b) => Object.values(b.dataset).includes(value)));
}
const show = radios($('.wo-views'), (button) => {
  state.view = root.dataset.view = button.dataset.view;
  if (state.tool === 'brush') tool('focus');
  paint();
  wantDetail();
});
radios($('.wo-kinds'), (button) => { state.kind = button.dataset.kind; paint(); });
function tool(name) {
  state.tool = root.dataset.tool = name;
  $('.wo-brushes').hidden = name !== 'brush';
  $('.wo-repair').setAttribute('aria-pressed', String(name === 'brush'));
  $('.wo-ring').hidden = true;
  paint();
  wantDetail();
}
$('.wo-repair').addEventListener('click', () => { if (state.photo) tool(state.tool === 'brush' ? 'focus' : 'brush'); });
$('.wo-done').addEventListener('click', () => { tool('focus'); show('result'); });
$('.wo-undo').addEventListener('click', () => { if (state.strokes) send('wo_undo', {}); });
$('.wo-size').addEventListener('input', (event) => { state.size = Number(event.target.value) / 400; });
$('.wo-zoom').addEventListener('click', hundred);
$('.wo-error button').addEventListener('click', () => { $('.wo-error').hidden = true; });

// --- pointers: a click focuses, a drag moves, two fingers zoom; with the brush a drag paints
const pointers = new Map();
let start = null;
const local = (event) => { const box = stage.getBoundingClientRect(); return [event.clientX - box.left, event.clientY - box.top]; };
canvas.addEventListener('pointerdown', (event) => {
  if (!state.photo || event.button > 0) return;
  canvas.setPointerCapture(event.pointerId);
  const [px, py] = local(event);
  pointers.set(event.pointerId, [px, py]);
  start = { px, py, x: state.x, y: state.y, moved: false };
  if (pointers.size === 2) { state.stroke = null; start.pinch = span(); start.scale = state.scale; start.moved = true; }
  else if (state.tool === 'brush') { const p = toPhoto(px, py); state.stroke = [[p.x, p.y]]; paint(); }
});
const span = () => { const [a, b] = [...pointers.values()]; return Math.hypot(a[0] - b[0], a[1] - b[1]); };
canvas.addEventListener('pointermove', (event) => {
  const [px, py] = local(event), ring = $('.wo-ring');
  ring.hidden = state.tool !== 'brush' || !state.photo || event.pointerType === 'touch';
  if (!ring.hidden) {
    const side = 2 * state.size * drawn().w;
    Object.assign(ring.style, { width: side + 'px', height: side + 'px', transform: 'translate(' + (px - side / 2) + 'px,' + (py - side / 2) + 'px)' });
  }
  if (!pointers.has(event.pointerId) || !start) return;
  pointers.set(event.pointerId, [px, py]);
  if (pointers.size === 2) {
    const [a, b] = [...pointers.values()];
    zoomTo(start.scale * span() / Math.max(start.pinch, 1), (a[0] + b[0]) / 2, (a[1] + b[1]) / 2);
  } else if (state.stroke) {
    const p = toPhoto(px, py);
    state.stroke.push([p.x, p.y]);
    paint();
  } else {
    start.moved ||= Math.hypot(px - start.px, py - start.py) > CLICK_PX;
    if (start.moved && !state.fitted) { state.x = start.x + px - start.px; state.y = start.y + py - start.py; place(); }
  }
});
function released(event) {
  if (!pointers.delete(event.pointerId) || !start) return;
  const [px, py] = local(event), ended = event.type === 'pointerup';
  if (state.stroke) {
    const points = state.stroke.map(([x, y]) => [Number(x.toFixed(5)), Number(y.toFixed(5))]).slice(0, 4000);
    if (ended) send('wo_stroke', { kind: state.kind, points, radius: state.size });
    state.stroke = null;
    if (!ended) paint();                 // else it stays until the maps come back
  } else if (ended && !start.moved && state.tool === 'focus') focusOn(toPhoto(px, py));
  if (!pointers.size) start = null;
}
canvas.addEventListener('pointerup', released);
canvas.addEventListener('pointercancel', released);
canvas.addEventListener('pointerleave', () => { $('.wo-ring').hidden = true; });
canvas.addEventListener('wheel', (event) => {
  if (!state.photo) return;
  event.preventDefault();
  const [px, py] = local(event);
  zoomTo(state.scale * Math.exp(-event.deltaY / 400), px, py);
}, { passive: false });
function focusOn(p) {
  if (!inside(p)) return;
  state.focus = p;
  state.cursor = null;
  if (!['result', 'compare'].includes(state.view)) show('result');
  paint();
  send('wo_focus', p);
}

// --- keys
canvas.addEventListener('keydown', (event) => {
  if (!state.photo) return;
  const step = event.shiftKey ? 0.1 : 0.02, clamp = (v) => Math.min(0.999, Math.max(0, v));
  const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
  if (way) {
    const at = state.cursor || state.focus || { x: 0.5, y: 0.5 };
    state.cursor = { x: clamp(at.x + way[0] * step), y: clamp(at.y + way[1] * step) };
    paint();
  } else if (event.key === 'Enter' && state.cursor) focusOn(state.cursor);
  else if (event.key === '+' || event.key === '=') zoomTo(state.scale * 1.25);
  else if (event.key === '-') zoomTo(state.scale / 1.25);
  else return;
  event.preventDefault();
});
root.addEventListener('keydown', (event) => {
  if (event.target.matches('input')) return;
  const undo = (event.ctrlKey || event.metaKey) && event.key.toLowerCase() === 'z';
  if (undo && state.tool === 'brush') { event.preventDefault(); $('.wo-undo').click(); }
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const does = { 0: fit, 1: () => { if (state.fitted) hundred(); }, b: () => $('.wo-repair').click(), o: () => input.click() }[event.key.toLowerCase()];
  if (does && (state.photo || event.key === 'o')) { event.preventDefault(); does(); }
});
const divider = $('.wo-divider');
const divide = (share) => { state.divider = Math.min(1, Math.max(0, share)); paint(); };
divider.addEventListener('pointerdown', (event) => divider.setPointerCapture(event.pointerId));
divider.addEventListener('pointermove', (event) => { if (divider.hasPointerCapture(event.pointerId)) divide(local(event)[0] / stage.clientWidth); });
divider.addEventListener('keydown', (event) => {
  const step = { ArrowLeft: -0.02, ArrowRight: 0.02, Home: -1, End: 1 }[event.key];
  if (step) { event.preventDefault(); divide(state.divider + step); }
});

new ResizeObserver(() => { if (state.photo) { if (state.fitted) fit(); else place(); } }).observe(stage);
watch('value', () => received(props.value));
received(props.value);
