#!/bin/bash
# start-alloy.sh STORAGE COMMAND...: runs Alloy's COMMAND; where Promtail shipped logs before, Alloy goes on where that
# stopped.
#
# Alloy takes over Promtail's positions in files by itself, but not those in the lines of containers. Both keep the second
# of the last line that they have read: Promtail under the container's id, Alloy under the id and all labels that the
# container is found with (those that `KEPT` in pipeline.py names, in their alphabetical order). These are asked of
# Docker here. What is read twice, the rest of that one second, Loki knows already and keeps once.
set -eu
storage=$1
shift
old=$storage/positions.yaml
new=$storage/loki.source.docker.containers/positions.yml

convert() {
    exec 3<>"/dev/tcp/${DOCKER_PROXY:-docker-proxy/2375}"
    printf 'GET /containers/json HTTP/1.0\r\nHost: docker\r\n\r\n' >&3
    # One object a container. No key or value that is read here can hold a quote.
    tr -d '\r\n' <&3 | awk -v positions="$old" '
        function value(key) {
            return match($0, "\"" key "\":\"[^\"]*\"") ? substr($0, RSTART + length(key) + 4, RLENGTH - length(key) - 5) : ""
        }
        function label(name, content) { return content == "" ? "" : ", __meta_docker_container_" name "=\"" content "\"" }
        BEGIN {
            while ((getline line < positions) > 0)
                if (match(line, /cursor-[0-9a-f]+: "[0-9]+"/)) {
                    split(substr(line, RSTART + 7, RLENGTH - 7), found, /: "|"/)
                    seconds[found[1]] = found[2]
                }
            print "positions:"
            RS = "[{]\"Id\":\""
        }
        {
            id = substr($0, 1, index($0, "\"") - 1)
            if (!(id in seconds) || !match($0, /"Names":\["[^"]+"/)) next
            name = substr($0, RSTART + 10, RLENGTH - 11)
            printf "  ? path: cursor-%s\n    labels: '\''{__meta_docker_container_id=\"%s\"%s%s%s%s}'\''\n  : \"%s\"\n", id, id,
                label("label_com_docker_compose_service", value("com.docker.compose.service")),
                label("label_monitoring_component", value("monitoring.component")),
                label("label_monitoring_service", value("monitoring.service")),
                label("name", name), seconds[id]
        }'
}

# Promtail ran last: there are no positions of Alloy, or they are older.
if [ -s "$old" ] && [ "$old" -nt "$new" ]; then
    mkdir -p "${new%/*}"
    # Without an answer Alloy must not start: it would read all lines again.
    convert > "$new.part" && [ "$(wc -l < "$new.part")" -gt 1 ] || {
        echo "start-alloy: Docker does not say which containers run; trying again" >&2
        exit 1
    }
    mv "$new.part" "$new"
    # Alloy takes Promtail's where it has none of its own.
    rm -f "$storage/loki.source.file.host/positions.yml"
    echo "start-alloy: went on from Promtail's positions of $(grep -c path "$new") containers" >&2
fi
exec "$@"
