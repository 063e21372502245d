--[[
wideopen: a target of darktable's export module that blurs the background of the selected photos.

darktable exports each photo with its edits to a temporary file, `wideopen render` makes NAME.bokeh.EXT beside the
original, and the result is imported and grouped with the original. Nothing is overwritten: NAME.bokeh-1.EXT follows.

Install: copy this file to lua/wideopen.lua in darktable's configuration folder (~/.config/darktable on Linux), and
add the line `require "wideopen"` to the file luarc in that folder. Tried with darktable 4.2 on Linux.

Copyright the wideopen maintainers. Apache-2.0.
]]

local dt = require "darktable"

local NAME = "wideopen"
local DEFAULT = "default" -- leaves an option to the preset, or to wideopen
-- A test compares these lists with the program.
local LOOKS = { DEFAULT, "thin-lens", "paper" }
local PRESETS = {
  DEFAULT, "anamorphic", "creamy", "fringes", "mirror", "paper", "soap-bubble", "swirl", "thin-lens",
}
local READABLE = { avif = true, jpeg = true, jpegxl = true, png = true, tiff = true, webp = true }

-- One word of a POSIX shell, whatever the text holds.
local function quoted(text)
  return "'" .. text:gsub("'", "'\\''") .. "'"
end

local function exists(path)
  local file = io.open(path, "rb")
  return file ~= nil and file:close()
end

local function free_path(folder, exported)
  local stem, extension = exported:match("([^/]+)%.([^./]+)$")
  local path, number = string.format("%s/%s.bokeh.%s", folder, stem, extension), 0
  while exists(path) do
    number = number + 1
    path = string.format("%s/%s.bokeh-%d.%s", folder, stem, number, extension)
  end
  return path
end

-- (true or nil, the last line that the command wrote on stderr)
local function run(words)
  local line = {}
  for _, word in ipairs(words) do
    table.insert(line, quoted(word))
  end
  local log = os.tmpname()
  local status = dt.control.execute(table.concat(line, " ") .. " 2>" .. quoted(log))
  local message = "no message"
  for text in io.lines(log) do
    message = text
  end
  os.remove(log)
  return status == 0, message
end

dt.preferences.register(
  NAME, "command", "string", "wideopen: command", "name or full path of the command wideopen", "wideopen"
)

local function combobox(name, tooltip, words)
  local saved, position = dt.preferences.read(NAME, name, "string"), 1
  for number, word in ipairs(words) do
    if word == saved then position = number end
  end
  local widget = dt.new_widget("combobox") { label = name, tooltip = tooltip, table.unpack(words) }
  widget.selected = position
  return widget
end

local blur = dt.new_widget("entry") {
  text = dt.preferences.read(NAME, "blur", "string"),
  placeholder = "blur: 2.4%, 40px",
  tooltip = "blur radius in percent of the long side or in pixels; empty leaves it to the preset",
}
local look = combobox("look", "renderer", LOOKS)
local preset = combobox("preset", "a preset of wideopen", PRESETS)

local function store(_, image, _, exported, number, total)
  local result = free_path(image.path, exported)
  local words = { dt.preferences.read(NAME, "command", "string"), "render", exported, "-o", result }
  local chosen = { blur = blur.text, look = look.value, preset = preset.value }
  for option, value in pairs(chosen) do
    dt.preferences.write(NAME, option, "string", value)
    if value ~= "" and value ~= DEFAULT then
      table.insert(words, "--" .. option .. "=" .. value)
    end
  end
  dt.print(string.format("wideopen: %s, %d of %d", image.filename, number, total))
  local done, message = run(words)
  os.remove(exported)
  if not done then
    dt.print(string.format("wideopen: %s failed: %s", image.filename, message))
    dt.print_error(message)
    return
  end
  dt.database.import(result):group_with(image)
end

dt.register_storage(
  NAME,
  "blur the background (wideopen)",
  store,
  nil,
  function(_, format) return READABLE[format.plugin_name] end,
  nil,
  dt.new_widget("box") { orientation = "vertical", blur, look, preset }
)

return { destroy = function() dt.destroy_storage(NAME) end }
