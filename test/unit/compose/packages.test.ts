import { expect, test } from 'vitest';
import { packagesFor, packagesToUnpack, privateConfiguration, treeName } from '../../../compose/packages.ts';

test('only servers and the libraries they need are unpacked', () => {
  const uris = [
    "'http://deb.debian.org/pool/libc6_2.36-9%2bdeb12u14_amd64.deb' libc6_2.36-9+deb12u14_amd64.deb 2759320 MD5Sum:8d",
    "'http://deb.debian.org/pool/libstdc%2b%2b6_12.2.0_amd64.deb' libstdc++6_12.2.0_amd64.deb 612604 MD5Sum:d5",
    "'http://deb.debian.org/pool/gcc-12-base_12.2.0_amd64.deb' gcc-12-base_12.2.0_amd64.deb 37596 MD5Sum:8e",
    "'http://deb.debian.org/pool/perl-base_5.36.0_amd64.deb' perl-base_5.36.0_amd64.deb 1609596 ",
    "'http://deb.debian.org/pool/libtext-glob-perl_0.11_all.deb' libtext-glob-perl_0.11_all.deb 7676 MD5Sum:07",
    "'http://deb.debian.org/pool/libpam0g_1.5.2_amd64.deb' libpam0g_1.5.2_amd64.deb 92060 MD5Sum:fd",
    "'http://deb.debian.org/pool/dpkg_1.21.23_amd64.deb' dpkg_1.21.23_amd64.deb 1567804 MD5Sum:28",
    "'http://deb.debian.org/pool/adduser_3.134_all.deb' adduser_3.134_all.deb 183272 MD5Sum:3f",
    "'http://deb.debian.org/pool/libssl3_3.0.22-1%7edeb12u2_amd64.deb' libssl3_3.0.22-1~deb12u2_amd64.deb 2039888 ",
    "'http://deb.debian.org/pool/etcd-server_3.4.23-4%2bb4_amd64.deb' etcd-server_3.4.23-4+b4_amd64.deb 8438488 MD5Sum:1a",
    "'http://deb.debian.org/pool/redis-tools_7.0.15_amd64.deb' redis-tools_5%3a7.0.15_amd64.deb 991988 ",
    "'http://deb.debian.org/pool/mariadb-server-core_10.11.19_amd64.deb' mariadb-server-core_1%3a10.11.19_amd64.deb 7342456 ",
  ].join('\n');
  expect(packagesToUnpack(uris)).toEqual(['libstdc++6', 'libssl3', 'etcd-server', 'redis-tools', 'mariadb-server-core']);
});

test('the packages of MariaDB are found under their plain and under their versioned names', () => {
  expect(packagesFor(['mariadb-server-core', 'mariadb-client-core', 'mariadb-server'])).toEqual([
    'mariadb-server-core',
    'mariadb-client-core',
    'redis-server',
    'etcd-server',
  ]);
  expect(packagesFor(['mariadb-server-core-10.6', 'mariadb-client-core-10.6', 'mariadb-server-core-dbgsym']).slice(0, 2)).toEqual([
    'mariadb-server-core-10.6',
    'mariadb-client-core-10.6',
  ]);
});

test("apt keeps the machine's proxies and loses its hooks and its state", () => {
  const dump = [
    'Acquire::http::Proxy "http://proxy:3128";',
    'Dir::State::lists "lists/";',
    'APT::Update::Post-Invoke-Success:: "appstreamcli refresh";',
    'DPkg::Post-Invoke:: "rm -f /var/cache/apt/archives/*.deb";',
  ].join('\n');
  const configuration = privateConfiguration(dump, '/cache/x');
  expect(configuration).toContain('Acquire::http::Proxy "http://proxy:3128";');
  expect(configuration).not.toMatch(/appstreamcli|rm -f/);
  // The last word on a setting counts.
  expect(configuration.match(/^Dir::State::lists .*$/gm)?.at(-1)).toBe('Dir::State::lists "/cache/x/lists";');
});

test.each([
  ['PRETTY_NAME="Debian GNU/Linux 12"\nVERSION_ID="12"\nID=debian\n', 'debian-12-x64'],
  ['ID=ubuntu\nID_LIKE=debian\nVERSION_ID="24.04"\n', 'ubuntu-24.04-x64'],
  ['ID=debian\nVERSION_CODENAME=forky\n', 'debian-forky-x64'],
  ['', 'linux-rolling-x64'],
])('the folder is named after the release: %j', (release, name) => {
  expect(treeName(release, 'x64')).toBe(name);
});
