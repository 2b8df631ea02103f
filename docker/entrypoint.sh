#!/bin/sh
# What a container of the image is: web, worker, beat, sealer, setup, or any management command. More words are passed on.
set -eu

# Secrets may come as files: NAME_FILE names the file that holds NAME.
for name in SECRET_KEY DATABASE_URL DATABASE_OWNER_URL DATABASE_OWNER_PASSWORD DATABASE_APP_PASSWORD \
    DATABASE_SEALER_URL DATABASE_SEALER_PASSWORD METRICS_TOKEN CELERY_BROKER_URL EMAIL_URL; do
    eval "file=\${${name}_FILE:-}"
    if [ -n "$file" ]; then
        value=$(cat "$file")
        export "$name=$value"
    fi
done

verb=${1:-web}
[ $# -eq 0 ] || shift
case $verb in
web)
    # Heartbeats of the workers go to memory: a slow disk must not get them killed.
    exec gunicorn opsadmin.wsgi:application --bind 0.0.0.0:8000 --workers "${WEB_WORKERS:-2}" \
        --worker-tmp-dir /dev/shm --no-control-socket --access-logfile - "$@"
    ;;
worker)
    exec celery -A opsadmin worker --queues opsadmin --concurrency "${WORKER_CONCURRENCY:-2}" --loglevel INFO "$@"
    ;;
beat)
    exec celery -A opsadmin beat --loglevel INFO --pidfile= "$@"
    ;;
sealer)
    exec python manage.py seal_audit --follow "$@"
    ;;
setup)
    python manage.py setup_database
    exec python manage.py migrate "$@"
    ;;
*)
    exec python manage.py "$verb" "$@"
    ;;
esac
