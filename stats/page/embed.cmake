# cmake -DSTYLE=style.css -DSCRIPT=script.js -DOUTPUT=page_assets.c -P embed.cmake: the page's style and script as C texts,
# and the Content-Security-Policy that allows these two and nothing else.

# The SHA-256 of a text as a source expression of the policy: its bytes in base64.
function(source_expression text result)
  set(alphabet "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
  string(SHA256 hash "${text}")
  set(encoded "")
  foreach(at RANGE 0 60 6) # 32 bytes: ten groups of three, and two that are left
    string(SUBSTRING "${hash}0000" ${at} 6 group)
    math(EXPR bits "0x${group}")
    foreach(shift 18 12 6 0)
      math(EXPR index "(${bits} >> ${shift}) & 63")
      string(SUBSTRING "${alphabet}" ${index} 1 letter)
      string(APPEND encoded "${letter}")
    endforeach()
  endforeach()
  string(SUBSTRING "${encoded}" 0 43 encoded)
  set(${result} "'sha256-${encoded}='" PARENT_SCOPE)
endfunction()

# An array of bytes: a string literal may not be so long. The files are ASCII, so that char holds each byte.
function(definition name text result)
  string(HEX "${text}" bytes)
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${bytes}")
  string(REPEAT "0x..," 16 line)
  string(REGEX REPLACE "(${line})" "\\1\n    " bytes "${bytes}")
  set(${result} "const char ${name}[] = {\n    ${bytes}0};\n" PARENT_SCOPE)
endfunction()

file(READ ${STYLE} style)
file(READ ${SCRIPT} script)
set(script "/*<![CDATA[*/\n${script}/*]]>*/") # "<" and "&" are then no markup to a reader of XML
definition(page_style "${style}" style_definition)
definition(page_script "${script}" script_definition)
source_expression("${style}" style_source)
source_expression("${script}" script_source)
file(WRITE ${OUTPUT}
  "/* Written by stats/page/embed.cmake from stats/page/style.css and script.js. */\n"
  "#include \"stats/page_assets.h\"\n\n#include \"stats/page.h\"\n\n"
  "${style_definition}\n${script_definition}\n"
  "const char stats_page_security_policy[] =\n"
  "    \"default-src 'none'; style-src ${style_source}; script-src ${script_source}; \"\n"
  "    \"img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'\";\n")
