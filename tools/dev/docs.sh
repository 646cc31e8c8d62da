# ./dev docs: checks that every link from one document to another file of the repository leads there.
command -v python3 >/dev/null 2>&1 || install_needs build  # Meson brings it.
exec python3 tools/dev/check_docs.py .
