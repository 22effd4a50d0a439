#!/bin/bash
# get-peers.sh [postfix|opensmtpd|exim4|dovecot|nsd|unbound|nginx ...]: unpacks the
# peers' Debian packages, which conflict with each other, side by side in
# /opt/peers/NAME (or $MTAD_PEERS/NAME) and installs only the libraries that
# they need.
set -eu
peers=${MTAD_PEERS:-/opt/peers}
export DEBIAN_FRONTEND=noninteractive
[ $# -ne 0 ] || set -- postfix opensmtpd exim4
mkdir -p "$peers/deb"
cd "$peers/deb"

for peer in "$@"; do
	case $peer in
	exim4) packages="exim4-daemon-light exim4-base exim4-config" ;;
	dovecot) packages="dovecot-core dovecot-lmtpd" ;;
	postfix|opensmtpd|nsd|unbound|nginx) packages=$peer ;;
	*) echo "usage: get-peers.sh [postfix|opensmtpd|exim4|dovecot|nsd|unbound|nginx ...]" >&2
	   exit 2 ;;
	esac
	for package in $packages; do
		rm -f "${package}"_*.deb
		apt-get -qq download "$package" ||
		    { apt-get -qq update && apt-get -qq download "$package"; }
		dpkg -x "${package}"_*.deb "$peers/$peer"
		# the libraries among its dependencies: first alternative, no version
		libraries=$(dpkg-deb -f "${package}"_*.deb Depends Pre-Depends |
		    sed 's/^[A-Za-z-]*: //; s/([^)]*)//g; s/|[^,]*//g' |
		    tr ', ' '\n\n' | grep '^lib' | sort -u || true)
		[ -z "$libraries" ] ||
		    apt-get -qq install -y --no-install-recommends $libraries
	done
done
